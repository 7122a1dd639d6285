// Bids over a WebSocket, in browsers, Deno and Node from 22 on: node live.mjs http://127.0.0.1:8080 TOKEN 12.5

const [url, token, price] = process.argv.slice(2);
const socket = new WebSocket(url.replace("http", "ws") + "/v1/live", ["walras", token]);

socket.onmessage = (message) => {
  const news = JSON.parse(message.data);
  if (news.refused) console.error(news.key, news.refused); // it says why, as JSON
  if (news.receipt) console.log("bid", news.receipt.legal);
  for (const waiting of news.questions ?? []) {
    const bid = { type: "Bid", item: waiting.question.item.id, price: Number(price) };
    socket.send(JSON.stringify({ question: waiting.id, answer: bid }));
  }
  for (const event of news.events ?? []) {
    if (event.kind === "won") console.log("won", event.data.item, "at", event.data.price);
    if (event.kind === "ended") socket.close();
  }
};
socket.onclose = (end) => {
  if (end.code > 1000 && end.code !== 1005) console.error(end.code, end.reason);
};
