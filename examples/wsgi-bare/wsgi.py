"""The smallest web app there is: a WSGI callable in a bare file (PEP 3333)."""


def application(environ, start_response):
    body = f"Hello from {environ['PATH_INFO']}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
