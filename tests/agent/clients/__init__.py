"""Clients in JavaScript: livekit-client in Chromium, @livekit/rtc-node in Node.

`make setup-clients` installs what they need; where that is missing, their tests are skipped.
"""
