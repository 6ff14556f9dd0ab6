// Answers each request with the bytes of the file /srv/shop/answer, in which lines end with \n; they are sent with \r\n.
const fs = require("fs");
const net = require("net");
net.createServer((connection) => {
  connection.on("error", () => connection.destroy());
  connection.once("data", () => connection.end(fs.readFileSync("/srv/shop/answer", "latin1").replace(/\n/g, "\r\n"), "latin1"));
}).listen(Number(process.env.PORT), process.env.HOST);
