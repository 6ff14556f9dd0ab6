// Speaks WebSocket to who asks for it. Refuses other requests with the status REFUSE, or closes without an answer when that is 0.
const crypto = require("crypto");
const refuse = Number(process.env.REFUSE || 426);
const server = require("http").createServer((request, response) => {
  if (!refuse) {
    request.socket.destroy();
    return;
  }
  response.writeHead(refuse);
  response.end("no\n");
});
server.on("upgrade", (request, socket) => {
  const key = crypto.createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  socket.resume();
});
server.listen(Number(process.env.PORT), process.env.HOST);
