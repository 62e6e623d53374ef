// The health check of mongod: it is the primary, and gcsched can log in. The first run initiates the
// replica set and creates the user; later runs change nothing. mongosh runs it on the database `admin`.

const MAY = ["readWrite"];

const secret = (name) => fs.readFileSync(`/run/secrets/${name}`, "utf8").trim();

function initiated() {
  try {
    return rs.status().ok === 1;
  } catch (error) {
    if (error.codeName !== "NotYetInitialized") throw error;
    return rs.initiate({ _id: "rs0", members: [{ _id: 0, host: "mongo:27017" }] }).ok === 1;
  }
}

function primary() {
  for (let tries = 0; tries < 20; tries++) {
    if (db.hello().isWritablePrimary) return true;
    sleep(250);
  }
  return false;
}

db.auth("root", secret("mongo_root_password"));
if (!initiated() || !primary()) quit(1);

const own = db.getSiblingDB("gcsched");
if (own.getUser("gcsched") === null) {
  own.createUser({ user: "gcsched", pwd: secret("mongo_gcsched_password"), roles: MAY });
}
