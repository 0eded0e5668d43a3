"""Uses the description of the API and the console of the cache in a real browser: Chromium, through its DevTools protocol on a pipe.

Usage: console.py CHROMIUM ADDRESS PASSWORD [FOLDER_FOR_PICTURES]

Come here to add a step that a person does. It needs nothing but Python's library.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

DEADLINE = 20


class Browser:
    """A browser with one page."""

    def __init__(self, program, profile):
        here_out, its_in = os.pipe()
        its_out, here_in = os.pipe()
        # The browser reads commands from descriptor 3 and answers on 4.
        command = 'exec "$0" "$@" 3<&%d 4>&%d' % (here_out, here_in)
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--remote-debugging-pipe",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=" + profile]
        self.process = subprocess.Popen(["bash", "-c", command, program, *options], pass_fds=(here_out, here_in),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(here_out)
        os.close(here_in)
        self.to, self.of = os.fdopen(its_in, "wb", 0), os.fdopen(its_out, "rb")
        self.rest, self.number, self.session, self.complaints = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.to.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.complaints.append(json.dumps(answer["params"]))
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def read(self):
        while b"\0" not in self.rest:
            part = os.read(self.of.fileno(), 1 << 16)
            if not part:
                raise RuntimeError("the browser has ended")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, what, expression):
        deadline = time.monotonic() + DEADLINE
        while not self.evaluate(f"!!({expression})"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited in vain until {what}; the page says: {self.evaluate('document.body.innerText')[:600]}")
            time.sleep(0.05)

    def fill(self, form, **values):
        for name, value in values.items():
            self.evaluate(f"document.getElementById({json.dumps(form)}).elements[{json.dumps(name)}].value = {json.dumps(value)}")
        self.evaluate(f"document.getElementById({json.dumps(form)}).requestSubmit()")

    def click(self, expression):
        self.until(f"{expression} can be clicked", f"!!({expression})")
        self.evaluate(f"({expression}).click()")

    def picture(self, folder, name):
        if not folder:
            return
        self.evaluate("scrollTo(0, 0)")
        for scheme in ("light", "dark"):
            for width in (1200, 400):
                self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
                shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
                with open(os.path.join(folder, f"{name}-{scheme}-{width}.png"), "wb") as file:
                    file.write(base64.b64decode(shot["data"]))

    def for_the_readme(self, folder):
        """docs/console.png: the part of the page that tells why."""
        if not folder:
            return
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
        self.call("Emulation.setDeviceMetricsOverride", width=1000, height=900, deviceScaleFactor=1, mobile=False)
        clip = {"x": 0, "y": 0, "width": 1000, "height": 1490, "scale": 0.7}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png", clip=clip)
        with open(os.path.join(folder, "console.png"), "wb") as file:
            file.write(base64.b64decode(shot["data"]))


def from_the_documentation(browser, address, password, folder):
    """What a newcomer does first: sign in at /docs, and send a request from there that only a signed-in caller may send."""
    browser.call("Page.navigate", url=f"http://{address}/docs")
    browser.until("the description is there", "document.getElementById('widgets_create')")
    for operation, caller in (("widgets_search", "cached"), ("widgets_create", "signed in · invalidates"), ("users_list", "superuser")):
        note = browser.evaluate(f"document.querySelector('#{operation} .note').textContent")
        assert note == caller, f"{operation} is for: {note}"
    browser.fill("session", username="admin", password=password)
    browser.until("the description has signed in", "document.querySelector('#session output').textContent === 'Signed in.'")
    browser.click("document.querySelector('#widgets_create summary')")
    browser.click("document.querySelector('#widgets_create form button')")
    browser.until("the request is answered", "document.querySelector('#widgets_create .status')?.textContent.startsWith('201')")
    browser.picture(folder, "docs")


def main(program, address, password, folder=None):
    def api(method, path, body=None, token=None):
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://{address}/api/v1{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    token = api("POST", "/auth/login", {"username": "admin", "password": password})["access_token"]
    markup = "<img src=x onerror=document.title='broken'><b>bold</b>"
    widget = api("POST", "/widgets", {"name": "tea", "description": markup}, token)["id"]
    key, path = f"widget:{widget}", f"/widgets/{widget}"

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            from_the_documentation(browser, address, password, folder)
            browser.call("Page.navigate", url=f"http://{address}/cache")
            browser.until("the page is there", "document.readyState === 'complete' && !document.getElementById('sign-in').hidden")
            browser.picture(folder, "signed-out")
            browser.fill("sign-in", username="admin", password="wrong password")
            browser.until("a wrong password is refused", "document.getElementById('message').textContent.includes('wrong')")
            browser.fill("sign-in", username="admin", password=password)
            browser.until("the console is there", "!document.querySelector('main').hidden && document.querySelector('#picture svg g')")

            # A miss and a hit arrive by themselves.
            row = "[...document.querySelectorAll('#routes tr')].find((row) => row.cells[0].textContent.endsWith('/widgets/{widget_id}'))"
            api("GET", path)
            browser.until("the miss arrives", f"{row}?.cells[6].textContent === '1'")
            browser.until("the event arrives", f"document.getElementById('newest').textContent.includes({json.dumps(key)})")
            api("GET", path)
            browser.until("the hit arrives", f"{row}?.cells[2].textContent === '50.0 %'")

            browser.fill("search", prefix=key)
            browser.click(f"[...document.querySelectorAll('#list button')].find((one) => one.textContent === {json.dumps(key)})")
            browser.until("the entry is open", f"document.querySelector('#entry h3').textContent === {json.dumps(key)} && !document.getElementById('entry').hidden")
            body = browser.evaluate("document.getElementById('body').textContent")
            assert json.loads(body)["description"] == markup, body
            assert browser.evaluate("document.querySelectorAll('img, #body b').length") == 0, "markup became elements"
            assert browser.evaluate("document.title") == "Cache"
            browser.until("the map of routes names the writers", "document.getElementById('ended-by').textContent.includes('PATCH /api/v1/widgets/{widget_id}')")
            browser.until("and the changes of the database", "document.getElementById('ended-by').textContent.includes('a change of widget_contents in the database')")
            api("PATCH", path, {"name": "coffee"}, token)
            api("GET", path)
            browser.until("the history tells why", "(() => { const text = document.getElementById('history').textContent; return text.includes('invalidated by PATCH') && text.includes('stored by GET'); })()")
            browser.picture(folder, "entry")
            browser.for_the_readme(folder)

            browser.click("document.getElementById('purge-entry')")
            browser.until("the entry is gone", "document.getElementById('facts').textContent.includes('no entry')")
            browser.until("the purge is in the history", "document.getElementById('history').textContent.includes('an operator')")
            count = "document.querySelectorAll('#history .stored').length"
            stored = browser.evaluate(count)
            api("GET", path)
            browser.until("the next miss is stored", f"{count} > {stored}")
            browser.click("document.getElementById('close')")

            browser.fill("purge-form", kind="policies", name="widget:{widget_id}")
            browser.until("the policy is purged", "document.getElementById('purged').textContent.includes('pattern widget:*')")

            browser.fill("search", prefix="copied:")
            browser.until("a part of many entries is there", "document.querySelectorAll('#list tr').length >= 50")
            browser.click("document.getElementById('more')")
            browser.until("another part is there", "document.querySelectorAll('#list tr').length >= 100")
            browser.picture(folder, "many")
            browser.fill("search", prefix="large:")
            browser.click("[...document.querySelectorAll('#list button')].find((one) => one.textContent === 'large:1')")
            browser.until("a large body is shown", "document.getElementById('body').textContent.length === 1000000")

            # The keyboard reaches the boxes of the map.
            browser.evaluate("document.querySelector('#picture g').focus()")
            for kind in ("keyDown", "keyUp"):
                browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13)
            browser.until("a box is chosen", "!!document.querySelector('#picture svg.chosen path.on')")

            browser.click("document.getElementById('sign-out')")
            browser.until("signed out", "document.querySelector('main').hidden && sessionStorage.length === 0")
            assert browser.evaluate("document.getElementById('body').textContent") == "", "the body is still in the page"
            unexpected = [text for text in browser.complaints if "401" not in text and "404" not in text]
            assert not unexpected, unexpected
        finally:
            browser.process.kill()
            browser.process.wait()
    print("the console works")


if __name__ == "__main__":
    main(*sys.argv[1:])
