"""Headless Chromium over the DevTools protocol: one process, isolated profiles in it."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading

import websockets

LIMIT_S = float(os.environ.get("CONFAB_TEST_LIMIT", "60"))
BINARY = shutil.which("chromium")


class Browser:
    def __init__(self, folder):
        """folder: where its profile is put, a new one."""
        self.profile = tempfile.mkdtemp(dir=folder, prefix="profile")
        self.process = subprocess.Popen(
            [BINARY, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.url = self._find_url()
        threading.Thread(target=self._forget_output, daemon=True).start()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.answers, self.events, self.number = {}, [], 0
        self._await(self._connect())

    def _find_url(self):
        for line in self.process.stderr:
            if line.startswith("DevTools listening on "):
                return line.split()[-1]
        raise AssertionError(f"chromium ended with {self.process.wait()}")

    def _forget_output(self):
        for _ in self.process.stderr:
            pass

    def _await(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(LIMIT_S)

    async def _connect(self):
        self.socket = await websockets.connect(self.url, max_size=None, ping_interval=None)
        self.loop.create_task(self._receive())

    async def _receive(self):
        try:
            async for text in self.socket:
                message = json.loads(text)
                if "id" in message:
                    self.answers.pop(message["id"]).set_result(message)
                else:
                    self.events.append(message)
        except websockets.ConnectionClosed:
            pass

    async def _call(self, method, session, params):
        self.number += 1
        future = self.answers[self.number] = self.loop.create_future()
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        await self.socket.send(json.dumps(message))
        return await future

    def call(self, method, session=None, **params):
        answer = self._await(self._call(method, session, params))
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def page(self, url):
        """A page with cookies and storage of its own."""
        return Page(self, url)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    def __init__(self, browser, url):
        self.browser = browser
        context = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.open(url)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script):
        """The value of a JavaScript expression; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, script):
        """Waits in the page until the expression is true; its value."""
        wrapped = f"""new Promise((resolve, reject) => {{
            const end = Date.now() + {int(LIMIT_S * 900)};
            (function look() {{
                let value;
                try {{ value = {script}; }} catch (error) {{ value = null; }}
                if (value) resolve(value);
                else if (Date.now() > end) reject(new Error('waited for ' + {json.dumps(script)}));
                else setTimeout(look, 20);
            }})();
        }})"""
        return self.run(wrapped)

    def fill(self, form, **fields):
        """Types into a form as a person would, and sends it."""
        for name, value in fields.items():
            self.run(f"document.querySelector('#{form} [name={name}]').focus()")
            self.call("Input.insertText", text=value)
        self.run(f"document.querySelector('#{form} button').click()")

    def problems(self):
        """Script errors and what the content security policy has stopped in this page."""
        return [event for event in self.browser.events if event.get("sessionId") == self.session and (
            event["method"] == "Runtime.exceptionThrown"
            or event["method"] == "Log.entryAdded" and event["params"]["entry"]["source"] in ("security", "javascript"))]

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
