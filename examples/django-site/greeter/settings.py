"""Settings from the environment, with defaults that do for a build and a laptop."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
DEBUG = os.environ.get("DEBUG") == "1"
SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-builds-and-laptops")
ALLOWED_HOSTS = ["*"]  # the router answers for the app's own domains only
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = os.environ.get("ORIGINS", "http://*.localhost:8080").split()

INSTALLED_APPS = ["django.contrib.staticfiles", "greeter"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
ROOT_URLCONF = "greeter.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
WSGI_APPLICATION = "greeter.wsgi.application"
USE_TZ = True

# `collectstatic` copies assets/ to staticfiles/ and puts a digest into each name, so that browsers
# may keep the files for a year. Hythe runs it at every build.
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "assets"]
STORAGES = {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
}
