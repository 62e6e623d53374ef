"""The same client, which adds its credentials to the channel and changes nothing else.

python call_with_credentials.py CA_FILE TOKEN_FILE TARGET EMPID EMAIL MESSAGE NAME TIMESTAMP
"""

import runpy
import sys
from functools import partial
from pathlib import Path
from unittest.mock import patch

import grpc


def main() -> None:
    ca_file, token_file = sys.argv[1:3]
    token = Path(token_file).read_text(encoding="utf-8").strip()
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(Path(ca_file).read_bytes()),
        grpc.access_token_call_credentials(token),
    )
    del sys.argv[1:3]
    with patch.object(grpc, "insecure_channel", partial(open_channel, credentials)):
        runpy.run_path(str(Path(__file__).with_name("call.py")), run_name="__main__")


def open_channel(credentials: grpc.ChannelCredentials, target: str) -> grpc.Channel:
    return grpc.secure_channel(target, credentials)


if __name__ == "__main__":
    main()
