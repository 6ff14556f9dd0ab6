// Answers "ok". /report waits WAIT milliseconds, /login sets cookies of COOKIE bytes in all.
const fs = require("fs");
const wait = Number(process.env.WAIT || 0);
const cookie = Number(process.env.COOKIE || 0);
const handle = (request, response) => {
  if (request.url.startsWith("/login")) {
    response.setHeader("Set-Cookie", "session=" + "x".repeat(cookie));
  }
  setTimeout(() => response.end("ok\n"), request.url.startsWith("/report") ? wait : 0);
};
const server = process.env.TLS_KEY
  ? require("https").createServer({ key: fs.readFileSync(process.env.TLS_KEY), cert: fs.readFileSync(process.env.TLS_CERT) }, handle)
  : require("http").createServer(handle);
server.listen(Number(process.env.PORT), process.env.HOST);
