// A TLS server that answers "ok". Its environment tells the rest. NAMES are server names, each with NAME.pem and NAME.key in /srv/shop/tls; DEFAULT is
// the one for clients without a server name, "" refuses them. MIN and MAX are versions of TLS. CLIENTS is the CA of clients, which have to show a
// certificate then.
const fs = require("fs");
const tls = require("tls");
const read = (name) => ({ key: fs.readFileSync(`/srv/shop/tls/${name}.key`), cert: fs.readFileSync(`/srv/shop/tls/${name}.pem`) });
const names = (process.env.NAMES || "").split(" ").filter(Boolean);
const settings = {
  minVersion: process.env.MIN || "TLSv1.2",
  maxVersion: process.env.MAX || "TLSv1.3",
  SNICallback: (name, done) => (names.includes(name) ? done(null, tls.createSecureContext(read(name))) : done(new Error("no such name"))),
};
if (!names.length) delete settings.SNICallback;
if (process.env.DEFAULT) Object.assign(settings, read(process.env.DEFAULT));
if (process.env.CLIENTS) Object.assign(settings, { requestCert: true, ca: fs.readFileSync(`/srv/shop/tls/${process.env.CLIENTS}.pem`) });
const server = require("https").createServer(settings, (request, response) => response.end("ok\n"));
server.listen(Number(process.env.PORT), process.env.HOST);
