// Bids in sealed-bid auctions, with nothing but Node: node bidder.mjs http://127.0.0.1:8080 TOKEN 12.5

const [url, token, price] = process.argv.slice(2);

async function call(path, body) {
  const response = await fetch(url + path, {
    method: body === undefined ? "GET" : "POST",
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { Authorization: `Bearer ${token}` },
  });
  const said = await response.json();
  if (response.ok) return said;
  console.error(response.status, said); // it says why, as JSON
  process.exit(1);
}

let cursor = "";
let over = false;
while (!over) {
  const news = await call(`/v1/events?wait_s=20&cursor=${cursor}`);
  cursor = news.cursor;
  for (const waiting of (await call("/v1/questions")).questions) {
    const bid = { type: "Bid", item: waiting.question.item.id, price: Number(price) };
    console.log("bid", (await call("/v1/answers", { question: waiting.id, answer: bid })).legal);
  }
  for (const event of news.events) {
    over ||= event.kind === "ended";
    if (event.kind === "won") console.log("won", event.data.item, "at", event.data.price);
  }
}
