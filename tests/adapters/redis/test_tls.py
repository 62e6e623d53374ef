"""Redis with TLS: its certificate must name the host of the URL."""

import ssl
from pathlib import Path

import pytest
import trustme
from redis.asyncio import Redis

from gcsched.adapters.redis.connection import close, open_pool, redis_errors
from gcsched.errors import RedisUnavailable
from tests.support.proxy import a_proxy
from tests.support.stores import own_valkey


async def read_a_key(url: str) -> None:
    client = Redis(connection_pool=open_pool(url))
    try:
        with redis_errors("reading a key"):
            await client.get("a key")
    finally:
        await close(client)


@pytest.mark.parametrize("unchecked", ["ssl_check_hostname=false", "ssl_cert_reqs=none"])
async def test_a_certificate_of_another_host_is_refused_unless_the_check_is_off(
    tmp_path: Path, unchecked: str
) -> None:
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(file)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example.org", "127.0.0.1").configure_cert(tls)
    async with own_valkey(tmp_path) as server, a_proxy(server.port, tls=tls) as proxy:
        named = f"rediss://127.0.0.1:{proxy.port}?ssl_ca_certs={file}"
        not_named = f"rediss://localhost:{proxy.port}?ssl_ca_certs={file}"

        await read_a_key(named)
        for option in ("", "&ssl_cert_reqs=required", "&ssl_cert_reqs=optional"):
            with pytest.raises(RedisUnavailable) as refused:
                await read_a_key(not_named + option)
            assert "use a host name of its certificate in GCSCHED_REDIS_URL" in refused.value.why
        await read_a_key(f"{not_named}&{unchecked}")
