"""Bids in sealed-bid auctions, with nothing but Python: python bidder.py http://127.0.0.1:8080 TOKEN 12.5"""

import json
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

url, token, price = sys.argv[1], sys.argv[2], float(sys.argv[3])


def call(path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = Request(url + path, data, {"Authorization": f"Bearer {token}"})
    try:
        return json.load(urlopen(request, timeout=60))
    except HTTPError as refused:  # it says why, as JSON
        sys.exit(f"{refused.code} {json.load(refused)}")


cursor, over = "", False
while not over:
    news = call(f"/v1/events?wait_s=20&cursor={cursor}")
    cursor = news["cursor"]
    for waiting in call("/v1/questions")["questions"]:
        bid = {"type": "Bid", "item": waiting["question"]["item"]["id"], "price": price}
        print("bid", call("/v1/answers", {"question": waiting["id"], "answer": bid})["legal"])
    for event in news["events"]:
        over = over or event["kind"] == "ended"
        if event["kind"] == "won":
            print("won", event["data"]["item"], "at", event["data"]["price"])
