from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path


def hello(request: HttpRequest) -> HttpResponse:
    return render(request, "hello.html", {"name": request.GET.get("name", "stranger")})


urlpatterns = [path("", hello)]
