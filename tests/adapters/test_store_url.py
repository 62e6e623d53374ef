"""URLs of stores: everything that a driver may refuse is described before it connects."""

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization as forms

from gcsched.adapters.redis.connection import open_pool
from gcsched.config.settings import Settings, read_settings
from gcsched.errors import SettingsProblems

NEEDED = {
    "GCSCHED_MONGO_URI": "mongodb://db.example.org/?replicaSet=rs0",
    "GCSCHED_REDIS_URL": "redis://redis.example.org",
    "GCSCHED_SMTP_HOST": "smtp.example.org",
    "GCSCHED_SENDER_EMAIL": "no-reply@example.org",
}
SECRET = "S3cr3tPW"
SPECIAL = "write special characters of user and password as %XX"
BROKEN = f"{SECRET}#x", f"{SECRET}/x", f"{SECRET}?x", f"{SECRET}?db=x", "6379#S3cr3tPW"


def load_settings(**given: str) -> Settings:
    return read_settings(NEEDED | {f"GCSCHED_{name}": value for name, value in given.items()})


def find_problem(**given: str) -> str:
    with pytest.raises(SettingsProblems) as caught:
        load_settings(**given)
    (sentence,) = caught.value.sentences
    (name,) = given
    assert sentence.startswith(f"GCSCHED_{name} cannot be used: ")
    assert "\n" not in sentence
    assert SECRET not in sentence
    return sentence


def find_redis_problem(url: str) -> str:
    return find_problem(REDIS_URL=url)


def find_mongo_problem(uri: str) -> str:
    return find_problem(MONGO_URI=uri)


def parse_options(url: str) -> dict[str, object]:
    return dict(
        open_pool(load_settings(REDIS_URL=url).redis_url.get_secret_value()).connection_kwargs
    )


@pytest.mark.parametrize("password", BROKEN)
@pytest.mark.parametrize("scheme", ["redis", "rediss", "mongodb", "mongodb+srv"])
def test_an_unescaped_character_in_a_password_is_reported_without_the_password(
    scheme: str, password: str
) -> None:
    find = find_redis_problem if scheme.startswith("redis") else find_mongo_problem

    assert SPECIAL in find(f"{scheme}://ada:{password}@host.example.org/0")
    assert SPECIAL in find(f"{scheme}://ada:{password}@host.example.org:1234/0")


def test_an_unescaped_at_or_colon_is_accepted_for_redis_and_refused_for_mongodb() -> None:
    assert parse_options("redis://:a@b:c@host")["password"] == "a@b:c"
    for password in (f"{SECRET}@x", f"{SECRET}:x", f"{SECRET}%x", "%", f"{SECRET}[x"):
        assert SPECIAL in find_mongo_problem(f"mongodb://ada:{password}@host/db")


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (f"redis://:{SECRET}@h:notaport/0", "its port is not a number from 1 to 65535"),
        (f"redis://ada:{SECRET}", "its port is not a number from 1 to 65535"),
        ("redis://h:99999/0", "its port is not a number from 1 to 65535"),
        ("redis://h:0/0", "its port is not a number from 1 to 65535"),
        ("redis://h:٣/0", "its port is not a number from 1 to 65535"),
        ("redis://a:1,b:2/0", "it names more than one host"),
        ("redis://a,b/0", "it names more than one host"),
        ("redis://h?client_name=a@b", "it contains an unescaped / or ? before an @"),
        ("redis://[::1/0", "its host is not a name or an address"),
        ("redis://[wrong]/0", "the host in [] is not an IPv6 address"),
        ("redis://a..b/0", "its host is not a host name"),
        ("redis://a b/0", "its host is not a host name"),
        ("redis://[:::]/0", "the host in [] is not an IPv6 address"),
        ("redis://[1.2.3.4:5]/0", "the host in [] is not an IPv6 address"),
        ("redis://[::1%25a b]/0", "the host in [] is not an IPv6 address"),
        ("redis://a\uff0fb/0", "its host is not a host name"),
        (f"redis://h/{SECRET}", "the text after the / is not the number of a database"),
        ("redis://h/-1", "the text after the / is not the number of a database"),
        ("redis://h/1/2", "the text after the / is not the number of a database"),
        ("redis://h/99999999999999999999", "is not the number of a database"),
        ("redis://h?db=-1", "its option db '-1' must be a whole number from 0"),
        ("redis://h?db=x", "its option db 'x' must be a whole number from 0"),
        ("redis://h?db=1&db=2", "its option db is given twice"),
        ("redis://h?socket_timeout=abc", "its option socket_timeout 'abc' must be seconds"),
        ("redis://h?socket_timeout=0", "its option socket_timeout '0' must be seconds"),
        ("redis://h?socket_timeout=nan", "its option socket_timeout 'nan' must be seconds"),
        ("redis://h?socket_connect_timeout=inf", "must be seconds"),
        ("redis://h?retry_on_timeout=maybe", "must be true or false"),
        ("redis://h?max_connections=-1", "must be a whole number from 0"),
        ("redis://h?client_name=a%20b", "must be ASCII characters without blanks"),
        ("redis://h?ssl=true", "there is no option ssl: use one of client_name, db, "),
        ("redis://h?wibble=1", "there is no option wibble: use one of client_name, db, "),
        ("redis://h?retry=1", "there is no option retry: "),
        ("redis://h?timeout=1", "there is no option timeout: "),
        ("redis://h?connection_class=x", "there is no option connection_class: "),
        ("redis://h?socket_read_size=1", "there is no option socket_read_size: "),
        ("redis://h?wibble", "only options as name=value"),
        ("redis://h?decode_responses=true", "must be false, because the service reads bytes"),
        ("redis://h?encoding=latin-1", "must be utf-8, because the service reads bytes"),
        ("redis://h?protocol=3", "must be 2, because the service speaks RESP2"),
        ("redis://h?protocol=x", "must be 2, because the service speaks RESP2"),
        ("redis://h?ssl_cert_reqs=none", "its option ssl_cert_reqs is for rediss:// only"),
        ("rediss://h?ssl_cert_reqs=perhaps", "must be required, optional or none"),
        ("rediss://h?ssl_cert_reqs=none&ssl_check_hostname=true", "contradict each other"),
        ("rediss://h?ssl_ca_certs=/not/there.pem", "'/not/there.pem': file not found"),
        ("rediss://h?ssl_ca_certs=/etc/passwd", "it contains no certificate in PEM format"),
        (f"rediss://h?ssl_ca_data={SECRET}", "the driver cannot use one"),
        ("rediss://h?ssl_certfile=/etc/passwd", "belong together: give both"),
        ("rediss://h?ssl_certfile=/no.pem&ssl_keyfile=/no.pem", "'/no.pem': file not found"),
        ("rediss://h?ssl_ciphers=wrong", "the driver cannot use one"),
        ("rediss://h?ssl_min_version=SSLv3", "must be TLSv1.2 or TLSv1.3"),
        ("unix://", "unix:///path/of/the.sock"),
        ("unix://there", "unix:///path/of/the.sock"),
        (f"unix://:{SECRET}/x@/run/redis.sock", SPECIAL),
        ("unix:///run/redis.sock?db=-1", "must be a whole number from 0"),
        ("unix:///run/redis.sock?socket_keepalive=1", "there is no option socket_keepalive"),
        (f"redis://:{SECRET}%ff@h", "the %XX of its password are not UTF-8"),
        (f"redis://:{SECRET}%00@h", "its password contains %00"),
        (f"redis://:{SECRET}\n@h", "it contains a line break"),
        (f"redis://:{SECRET}\udcff@h", "it holds octets that are not UTF-8"),
        (f"http://:{SECRET}@h", "it does not start with redis:// or rediss:// or unix://"),
        (SECRET, "it does not start with redis:// or rediss:// or unix://"),
    ],
)
def test_an_invalid_redis_url_is_described(url: str, what: str) -> None:
    assert what in find_redis_problem(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", {"host": "h", "port": 6379, "db": 0, "password": None}),
        ("redis://h:6380/7", {"port": 6380, "db": 7}),
        ("redis://h/7/", {"db": 7}),
        (" redis://h/99\n", {"host": "h", "db": 99}),
        ("redis://h?db=3", {"db": 3}),
        ("redis://", {"host": "localhost", "port": 6379, "db": 0}),
        ("redis:///5", {"host": "localhost", "port": 6379, "db": 5}),
        ("redis://:6380", {"host": "localhost", "port": 6380}),
        ("redis://:pw@/5", {"host": "localhost", "password": "pw", "db": 5}),
        ("rediss://h:", {"host": "h", "port": 6379}),
        ("redis://h:/5", {"host": "h", "port": 6379, "db": 5}),
        ("redis://h//0", {"host": "h", "db": 0}),
        ("redis://h//5", {"host": "h", "db": 5}),
        ("redis://h?db=&password=&socket_timeout=", {"db": 0, "password": None}),
        ("redis://:pw@h/0?client_name=a@b", {"password": "pw", "client_name": "a@b"}),
        ("unix:///run/a.sock?client_name=a@b", {"path": "/run/a.sock", "client_name": "a@b"}),
        ("redis://h?socket_timeout=120", {"socket_timeout": 60.0}),
        ("redis://[::1]:6380/1", {"host": "::1", "port": 6380}),
        ("redis://ada:p%40ss%2Fw%3Ard%25@h", {"username": "ada", "password": "p@ss/w:rd%"}),
        ("redis://h?password=p%40ss", {"password": "p@ss"}),
        ("redis://h?socket_timeout=5", {"socket_timeout": 5.0, "socket_connect_timeout": 2.0}),
        ("redis://h?decode_responses=false&protocol=2&encoding=utf-8", {"host": "h"}),
        ("unix:///run/re%20dis.sock?db=3", {"path": "/run/re dis.sock", "db": 3}),
        ("unix://:pw@/run/a%40b.sock", {"path": "/run/a@b.sock", "password": "pw"}),
        ("rediss://h?ssl_cert_reqs=CERT_REQUIRED", {"ssl_cert_reqs": "required"}),
        ("rediss://h?ssl_cert_reqs=CERT_OPTIONAL", {"ssl_cert_reqs": "optional"}),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", {"ssl_cert_reqs": "none"}),
        ("rediss://h?ssl_cert_reqs=none", {"ssl_cert_reqs": "none"}),
    ],
)
def test_valid_redis_urls_are_parsed(url: str, expected: dict[str, object]) -> None:
    options = parse_options(url)

    assert {name: options.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        (f"mongodb://ada:{SECRET}@h:notaport/db", "its port is not a number from 1 to 65535"),
        ("mongodb://h:99999/db", "its port is not a number from 1 to 65535"),
        ("mongodb://h:1,h:0/db", "its port is not a number from 1 to 65535"),
        ("mongodb://a,,b/db", "it names no host"),
        ("mongodb:///db", "it names no host"),
        ("mongodb://a..b/db", "its host is not a host name"),
        ("mongodb://[:::]/db", "the host in [] is not an IPv6 address"),
        ("mongodb://[1.2.3.4:5]/db", "the host in [] is not an IPv6 address"),
        ("mongodb://a\uff20b/db", "its host is not a host name"),
        ("mongodb://h/?w=1;journal=true&tls=true", "joined by both & and ;"),
        ("mongodb+srv://h.example.org:27017/db", "it must name one host and no port"),
        ("mongodb+srv://a.example.org,b.example.org/db", "it must name one host and no port"),
        ("mongodb+srv://192.0.2.1/db", "not an IP address"),
        ("mongodb://h/a.b", "its path is not the name of a database"),
        ("mongodb://h/local", "neither config nor local"),
        (f"mongodb://h/{'x' * 64}", "up to 63 letters"),
        ("mongodb://h/?wibble=1", "its option wibble cannot be the given value"),
        ("mongodb://h/?maxPoolSize=abc", "its option maxPoolSize cannot be 'abc'"),
        ("mongodb://h/?ssl=maybe", "its option ssl cannot be 'maybe'"),
        ("mongodb://h/?readPreference=wrong", "its option readPreference cannot be 'wrong'"),
        ("mongodb://h/?replicaSet=a&replicaSet=b", "its option replicaSet is given twice"),
        ("mongodb://h/?replicaSet=a&replicaset=b", "its option replicaset is given twice"),
        ("mongodb://h/?replicaSet", "only options as name=value"),
        ("mongodb://h/?w=0&journal=true", "Cannot set w to 0 and j to True"),
        ("mongodb://a,b/?directConnection=true", "multiple hosts with directConnection=true"),
        ("mongodb://h/?tls=true&tlsCAFile=/no.pem", "tlsCAFile '/no.pem': file not found"),
        ("mongodb://h/?tls=true&tlsCAFile=/etc/passwd", "it contains no certificate in PEM format"),
        ("mongodb://h/?tls=true&tlsCRLFile=/no.pem", "tlsCRLFile '/no.pem': file not found"),
        ("mongodb://h/?tlsCertificateKeyFile=/no.pem", "'/no.pem': file not found"),
        ("mongodb://h/?ssl=true&tls=false", "MongoDB's driver does not accept it"),
        (f"mongodb://h/?authMechanism={SECRET}x&tls=1", "its option"),
        ("mongodb://ada@h/db", "MongoDB's driver does not accept it"),
        (f"mongodb://:{SECRET}@h/db", "MongoDB's driver does not accept it"),
        (f"mongodb://ada:{SECRET}%ff@h/db", "the %XX of its password are not UTF-8"),
        (f"postgres://ada:{SECRET}@h/db", "it does not start with mongodb:// or mongodb+srv://"),
    ],
)
def test_an_invalid_mongodb_uri_is_described(uri: str, what: str) -> None:
    assert what in find_mongo_problem(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://ada:p%40ss@a:27017,b,[::1]:27018/db?replicaSet=rs0&authSource=admin",
        "mongodb://h",
        "mongodb://h?w=1&journal=false",
        "mongodb://h/?wTimeoutMS=1000&journal=true",
        "mongodb://h/?ssl=true",
        "mongodb://h/?compressors=zstd,snappy,zlib",
        "mongodb://h/?readPreferenceTags=dc:a&readPreferenceTags=&readPreference=secondary",
        "mongodb://h/?replicaSet=rs0;appName=x",
        "mongodb://%2Ftmp%2Fmongodb-27017.sock/db",
        "mongodb+srv://cluster0.example.org/db?retryWrites=true&w=majority",
        "mongodb://h/db\n",
        "mongodb://u:p@x.docdb.amazonaws.com:27017/db?tls=true&replicaSet=rs0&retryWrites=false",
        "mongodb://u:p@x.docdb-elastic.amazonaws.com:27017/db?tls=true",
        "mongodb://u:p@x.mongo.cosmos.azure.com:10255/?ssl=true&appName=@x@&replicaSet=globaldb",
        "mongodb+srv://u:p@x.mongocluster.cosmos.azure.com/db?tls=true",
        "mongodb://h/?compressors=zstd,wibble&zlibCompressionLevel=3",
        "mongodb://h/?wTimeoutMS=1000&fsync=true",
    ],
)
def test_valid_mongodb_uris_are_accepted(uri: str) -> None:
    assert load_settings(MONGO_URI=uri).mongo_uri.get_secret_value() == uri.strip()


def test_readable_certificates_are_accepted(tmp_path: Path) -> None:
    authority, pair = trustme.CA(), tmp_path / "pair.pem"
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    authority.issue_cert("ada").private_key_and_cert_chain_pem.write_to_path(pair)

    uri = f"mongodb://h/?tls=true&tlsCAFile={file}&tlsCertificateKeyFile={pair}"
    url = f"rediss://h?ssl_ca_certs={file}&ssl_certfile={pair}&ssl_keyfile={pair}"
    taken = load_settings(MONGO_URI=uri, REDIS_URL=url)

    assert taken.mongo_uri.get_secret_value() == uri
    assert taken.redis_url.get_secret_value() == url


def test_an_encrypted_key_without_its_password_is_reported_without_a_prompt(tmp_path: Path) -> None:
    leaf, pair = trustme.CA().issue_cert("ada"), tmp_path / "pair.pem"
    key = forms.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.BestAvailableEncryption(b"right")
    )
    pair.write_bytes(locked + leaf.cert_chain_pems[0].bytes())
    uri = f"mongodb://h/?tls=true&tlsCertificateKeyFile={pair}"

    assert "the key's password is wrong" in find_mongo_problem(uri)
    sentence = find_problem(MONGO_URI=f"{uri}&tlsCertificateKeyFilePassword={SECRET}")
    assert "the key's password is wrong" in sentence
    unlocked = f"{uri}&tlsCertificateKeyFilePassword=right"
    assert load_settings(MONGO_URI=unlocked).mongo_uri.get_secret_value() == unlocked
