// Answers "ok". /orders reads ORDERS, a file of JSON.
const fs = require("fs");
const server = require("http").createServer((request, response) => {
  if (request.url.startsWith("/orders")) {
    setTimeout(() => response.end(JSON.stringify(JSON.parse(fs.readFileSync(process.env.ORDERS)))), 20);
    return;
  }
  response.end("ok\n");
});
server.listen(Number(process.env.PORT), process.env.HOST);
