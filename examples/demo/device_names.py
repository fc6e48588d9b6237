"""What a device is called in the list of logins: its browser and its system, as its User-Agent says."""

import re
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers

# In this order: Edge and Opera also call themselves Chrome, and Chrome calls itself Safari.
BROWSERS = {
    "Edge": re.compile(r"Edg(?:e|A|iOS)?/"),
    "Opera": re.compile(r"OPR/"),
    "Firefox": re.compile(r"(?:Firefox|FxiOS)/"),
    "Chrome": re.compile(r"(?:Chrome|CriOS)/"),
    "Safari": re.compile(r"Safari/"),
}
# Android also calls itself Linux, and an iPhone calls itself like Mac OS X.
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def device_name(scope: MutableMapping[str, Any]) -> str:
    """Return the name of the device that sent a request: "Firefox on Linux", or "curl/8.5.0" for other clients."""
    agent = Headers(scope=scope).get("user-agent", "")
    browser = next((name for name, pattern in BROWSERS.items() if pattern.search(agent)), None)
    if browser is None:
        return agent.partition(" ")[0] or "Unknown"
    system = next((name for said, name in SYSTEMS.items() if said in agent), None)
    return browser if system is None else f"{browser} on {system}"
