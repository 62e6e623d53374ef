"""URLs of stores: no error shows a password, and an accepted URL can be opened."""

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gcsched.adapters.mongo.connection import create_client
from gcsched.adapters.mongo.uri import build_seed_uris
from gcsched.adapters.redis.connection import open_pool
from gcsched.adapters.redis.heartbeats import hash_mongo_location
from gcsched.errors import SettingsProblems
from tests.adapters.test_store_url import SECRET, load_settings

STORES = (
    ("REDIS_URL", "redis"),
    ("REDIS_URL", "rediss"),
    ("REDIS_URL", "unix"),
    ("MONGO_URI", "mongodb"),
    ("MONGO_URI", "mongodb+srv"),
)
LOOKALIKES = "\uff0f\uff1a\uff20\uff1f\uff03\u2100\u2047\u2a74\ufe55\u212b"
"""Characters of which NFKC makes / : @ ? # and others."""

SIGNS = "redismongob:/@?#[]%,;=&+.0123456789 \n" + LOOKALIKES
ODD = st.text(max_size=12) | st.text(SIGNS, max_size=12)
PASSWORDS = ODD.map(lambda text: f"{SECRET}{text}{SECRET}")
TEXTS = st.text(max_size=30) | st.text(SIGNS, max_size=40)
TAILS = TEXTS | st.sampled_from(("h", "h:1/db", "[::1]/0", "a,b/db?w=1", "/run/a.sock"))


def open_all(name: str, url: str) -> str | None:
    """Load *url* and build what the service builds of it; return the error, or None.

    Any other exception fails the test.
    """
    try:
        loaded = load_settings(**{name: url})
    except SettingsProblems as error:
        (sentence,) = error.sentences
        assert sentence.isprintable()
        return "".join(traceback.format_exception(error))
    if name == "REDIS_URL":
        open_pool(loaded.redis_url.get_secret_value())
        return None
    uri = loaded.mongo_uri.get_secret_value()
    create_client(uri).close()
    for seed in build_seed_uris(uri):
        create_client(seed).close()
    assert SECRET not in hash_mongo_location(uri)
    return None


def read_stored_url(name: str, url: str) -> str:
    error = open_all(name, url)
    assert error is not None
    assert SECRET not in error
    return error


@settings(deadline=None)
@given(password=PASSWORDS, user=TEXTS | st.just("ada"), tail=TAILS)
@example(password=f"{SECRET}@h?wibble=1&{SECRET}", user="ada", tail="h")
@example(password=f"{SECRET}@h?{SECRET}=1&", user="ada", tail="h")
@example(password=f"{SECRET}@h?db={SECRET}&db=1", user="ada", tail="h")
@example(password=f"p@h?appName={SECRET};", user="ada", tail="h")
@example(password=f"p@h?{SECRET}=%ff", user="ada", tail="h")
@example(password=f"{SECRET}\uff0f", user="ada", tail="h")
@example(password=f"{SECRET}\uff20x", user="ada", tail="h/db")
@example(password=f"{SECRET}\u2100", user="ada", tail="[::1]:27017/db")
def test_any_invalid_url_is_reported_in_a_sentence_without_its_password(
    password: str, user: str, tail: str
) -> None:
    for name, scheme in STORES:
        for url in (f"{scheme}://{user}:{password}@{tail}", f"{scheme}://{tail}"):
            assert SECRET not in (open_all(name, url) or "")


@settings(deadline=None)
@given(url=TEXTS, tail=TAILS)
@example(url="mongodb://[:::]/db", tail="[1.2.3.4:5]")
def test_any_invalid_text_is_reported_in_a_sentence(url: str, tail: str) -> None:
    for name, scheme in STORES:
        open_all(name, url)
        open_all(name, f"{scheme}://{tail}")


@pytest.mark.parametrize(
    "option",
    [
        f"password={SECRET}",
        f"sslPEMPassphrase={SECRET}",
        f"tlsCertificateKeyFilePasword={SECRET}",
        f"authMechanism={SECRET}",
        f"authMechanismProperties=AWS_SESSION_TOKEN:{SECRET},wrong",
        f"proxyPassword={SECRET}",
        f"wTimeoutMS=1%26password={SECRET}",
        f"connectTimeoutMS=a;password={SECRET}",
        f"tlsCertificateKeyFile=/no.pem&tlsCertificateKeyFilePassword={SECRET}",
        f"tls=true&tlsInsecure=true&tlsAllowInvalidHostnames=true&username={SECRET}",
    ],
)
def test_a_password_given_as_an_option_is_not_shown_by_mongodb(option: str) -> None:
    read_stored_url("MONGO_URI", f"mongodb://h/?{option}")


@pytest.mark.parametrize(
    "option",
    [
        f"pasword={SECRET}",
        f"password=%ff{SECRET}",
        f"password=a%00{SECRET}",
        f"db=1;password={SECRET}",
        f"db=1%26password={SECRET}",
        f"password={SECRET}&password={SECRET}",
        f"ssl_ca_data={SECRET}",
        f"ssl_keyfile_password={SECRET}",
    ],
)
def test_a_password_given_as_an_option_is_not_shown_by_redis(option: str) -> None:
    read_stored_url("REDIS_URL", f"rediss://h?{option}")
    read_stored_url("REDIS_URL", f"rediss://h/{SECRET}")


def test_a_value_that_is_not_a_secret_is_shown() -> None:
    assert "maxPoolSize cannot be 'abc'" in read_stored_url(
        "MONGO_URI", "mongodb://h/?maxPoolSize=abc"
    )
    assert "db 'abc' must be" in read_stored_url("REDIS_URL", "redis://h?db=abc")


def test_a_short_user_name_does_not_hide_the_driver_s_reason() -> None:
    error = read_stored_url("MONGO_URI", f"mongodb://a:{SECRET}@a,b/?directConnection=true")

    assert "multiple hosts with directConnection=true" in error


@pytest.mark.parametrize(
    ("mechanism", "module"), [("GSSAPI", "kerberos"), ("MONGODB-AWS", "pymongo_auth_aws")]
)
def test_a_mechanism_whose_module_is_missing_is_reported_before_anything_opens(
    mechanism: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"mongodb://ada:p@h/?authMechanism={mechanism}"
    if mechanism == "GSSAPI":
        monkeypatch.setitem(sys.modules, "winkerberos", None)
    monkeypatch.setitem(sys.modules, module, None)

    assert f"authMechanism={mechanism} needs a Python module" in read_stored_url("MONGO_URI", uri)

    monkeypatch.delitem(sys.modules, module)
    (tmp_path / f"{module}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    load_settings(MONGO_URI=uri)


def read_connect_timeout(uri: str) -> int:
    client = create_client(uri)
    try:
        return int(client.delegate.options.pool_options.connect_timeout * 1000)
    finally:
        client.close()


def test_limits_in_the_uri_have_priority_with_any_separator() -> None:
    for options in ("connectTimeoutMS=7000&w=1", "w=1;CONNECTTIMEOUTMS=7000"):
        assert read_connect_timeout(f"mongodb://h/?{options}") == 7000
    for options in ("w=1", "connectTimeoutMS=0", "connectTimeoutMS=%30"):
        assert read_connect_timeout(f"mongodb://h/?{options}") == 2000


def test_a_single_host_is_probed_with_one_connection() -> None:
    for seed in build_seed_uris("mongodb://ada:pw@a,b:1/db?minPoolSize=50;replicaSet=rs0;w=1"):
        client = create_client(seed)
        client.close()
        assert client.delegate.options.pool_options.min_pool_size == 0
        assert client.delegate.options.replica_set_name is None


@pytest.mark.parametrize("opening", [create_client, hash_mongo_location, build_seed_uris])
def test_an_unchecked_url_raises_no_error_with_a_password(
    opening: Callable[[str], object],
) -> None:
    for uri in (f"mongodb://ada:{SECRET}\uff0f@h/db", f"mongodb://ada:{SECRET}@[:::]/db"):
        with suppress(SettingsProblems):
            opening(uri)
