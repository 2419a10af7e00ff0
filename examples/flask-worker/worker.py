"""The worker process: does a piece of work every few seconds, and ends cleanly on SIGTERM."""

import os
import signal
import threading

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
pause = float(os.environ.get("WORK_SECONDS", "5"))

print(f"{os.environ.get('HYTHE_INSTANCE')} at work", flush=True)
done = 0
while not stopping.wait(pause):
    done += 1
    print(f"piece {done} done", flush=True)
print(f"stopping after {done} pieces", flush=True)
