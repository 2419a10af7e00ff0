"""FastAPI with a WebSocket that sends every message back."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

app = FastAPI()

PAGE = """<!doctype html>
<title>Echo</title>
<form id="form"><input id="text" autofocus placeholder="Say something"></form>
<pre id="log"></pre>
<script>
  const socket = new WebSocket(location.href.replace(/^http/, "ws") + "echo")
  socket.onmessage = event => log.append(event.data + "\\n")
  form.onsubmit = event => { event.preventDefault(); socket.send(text.value); text.value = "" }
</script>
"""


@app.get("/")
async def index() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass
