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
KEYS = {"Enter": ("Enter", 13, "\r"), "Tab": ("Tab", 9, ""), "Escape": ("Escape", 27, ""), "Backspace": ("Backspace", 8, ""),
        "ArrowUp": ("ArrowUp", 38, ""), "ArrowDown": ("ArrowDown", 40, ""), " ": ("Space", 32, " "),
        "PageUp": ("PageUp", 33, ""), "Home": ("Home", 36, ""), "End": ("End", 35, "")}


class Browser:
    def __init__(self, folder):
        """folder: where its profile is put, a new one."""
        self.profile = tempfile.mkdtemp(dir=folder, prefix="profile")
        self.scratch = tempfile.mkdtemp(prefix="confab-browser-")  # its sockets go there, and their paths are short
        self.process = subprocess.Popen(
            [BINARY, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage", "--window-size=1280,800", "--ignore-certificate-errors", "--remote-debugging-port=0", f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"TMPDIR": self.scratch})
        self.url = self._find_url()
        self.forgetting = threading.Thread(target=self._forget_output, daemon=True)
        self.forgetting.start()
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

    def page(self, url, before=None):
        """A page with cookies and storage of its own; before: a script that runs ahead of each document's own."""
        return Page(self, url, before=before)

    def problems(self, session=None):
        """Script errors and what the content security policy has stopped, in one page or in all."""
        return [event for event in self.events if session in (None, event.get("sessionId")) and (
            event["method"] == "Runtime.exceptionThrown"
            or event["method"] == "Log.entryAdded" and event["params"]["entry"]["source"] in ("security", "javascript"))]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.forgetting.join(LIMIT_S)
        self.process.stderr.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        for folder in self.profile, self.scratch:  # killed, it takes nothing away
            shutil.rmtree(folder, ignore_errors=True)


class Page:
    def __init__(self, browser, url, context=None, before=None):
        self.browser = browser
        self.context = context or browser.call("Target.createBrowserContext")["browserContextId"]
        self.target = browser.call("Target.createTarget", url="about:blank",
                                   browserContextId=self.context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)  # each as if it were the one in front
        if before:
            self.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        self.open(url)

    def tab(self, url, before=None):
        """Another page that shares cookies and storage with this one."""
        return Page(self.browser, url, self.context, before)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def reload(self):
        self.run("window.isOld = true")
        self.call("Page.reload")
        self.until("document.readyState === 'complete' && !window.isOld")

    def address(self):
        """Where the page is, also while it is on its way."""
        return self.browser.call("Target.getTargetInfo", targetId=self.target)["targetInfo"]["url"]

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
                else if (Date.now() > end)
                    reject(new Error('waited for ' + {json.dumps(script)} + ' at ' + location.href + ', where there is: '
                                     + document.body?.innerText.slice(0, 500)));
                else setTimeout(look, 20);
            }})();
        }})"""
        return self.run(wrapped)

    def see(self, selector):
        """Waits until something of that kind is on the page and in sight."""
        self.until(f"document.querySelector({json.dumps(selector)})?.checkVisibility()")

    def text(self, selector):
        return self.run(f"document.querySelector({json.dumps(selector)})?.textContent")

    def click(self, selector):
        """A click in the middle of the first such element, once it lies still with nothing in front of it."""
        self.see(selector)
        self.run("window.lay = null")
        x, y = self.until(f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoViewIfNeeded();
            const box = element.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            const isStill = window.lay === `${{x}} ${{y}}`;
            window.lay = `${{x}} ${{y}}`;
            return isStill && element.contains(document.elementFromPoint(x, y)) ? [x, y] : null;
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text):
        """Into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key, *modifiers):
        """A key that is no text, such as Enter; modifiers: Alt, Control, Shift."""
        mask = sum({"Alt": 1, "Control": 2, "Shift": 8}[name] for name in modifiers)
        code, number, text = KEYS.get(key) or (f"Key{key.upper()}", ord(key.upper()), "")
        for kind in ("keyDown" if text and not mask & 3 else "rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number,
                      modifiers=mask, **({"text": text} if kind == "keyDown" else {}))

    def fill(self, form, **fields):
        """Types into a form as a person would, and sends it."""
        for name, value in fields.items():
            self.see(f"#{form} [name={name}]")
            self.run(f"document.querySelector('#{form} [name={name}]').focus()")
            self.type(value)
        self.run(f"document.querySelector('#{form} button:not([type=button])').click()")

    def screen(self, width, height, scale=1, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                  mobile=phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)

    def prefer(self, **features):
        """What the person has set in their system: prefers_color_scheme="dark"."""
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()])

    def problems(self):
        return self.browser.problems(self.session)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
