"""Bids over a WebSocket (pip install websockets): python live.py http://127.0.0.1:8080 TOKEN 12.5"""

import json
import sys

from websockets.sync.client import connect

url, token, price = sys.argv[1], sys.argv[2], float(sys.argv[3])
address, over = url.replace("http", "ws", 1) + "/v1/live", False

with connect(address, additional_headers={"Authorization": f"Bearer {token}"}, proxy=None) as line:
    while not over:
        news = json.loads(line.recv())
        if "refused" in news:  # it says why, as JSON
            print(news["key"], news["refused"], file=sys.stderr)
        if "receipt" in news:
            print("bid", news["receipt"]["legal"])
        for waiting in news.get("questions", []):
            bid = {"type": "Bid", "item": waiting["question"]["item"]["id"], "price": price}
            line.send(json.dumps({"question": waiting["id"], "answer": bid}))
        for event in news.get("events", []):
            over = over or event["kind"] == "ended"
            if event["kind"] == "won":
                print("won", event["data"]["item"], "at", event["data"]["price"])
