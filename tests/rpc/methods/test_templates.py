"""The list of templates, and previews of their mails."""

from pathlib import Path

import grpc
import pytest

from gcsched.pb import task_pb2
from tests.support.in_process_app import RunningApp
from tests.support.service_process import Stub
from tests.support.status_details import status_of, violations


@pytest.fixture
def app_settings(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "doc.html").write_text("<p>{{ message }} for {{ username }}</p>", "utf-8")
    (tmp_path / "room.html").write_text(
        "<p>{{ room }} {{ 1 // (1 - (count == '0') | int) }}</p>", "utf-8"
    )
    (tmp_path / "room.txt").write_text("{{ room }} of {{ count }} {{ floor | d('?') }}", "utf-8")
    (tmp_path / "_base.html").write_text("{{ nothing }}", "utf-8")
    return {"templates_dir": str(tmp_path)}


async def test_all_templates_are_listed_with_what_each_needs(
    stub: Stub,
) -> None:
    reply = await stub.ListTemplates(task_pb2.ListTemplatesRequest())

    assert [
        (each.name, list(each.required_variables), each.has_text) for each in reply.templates
    ] == [
        ("cancellation", ["meeting"], True),
        ("doc", [], False),
        ("invitation", ["meeting"], True),
        ("reminder", ["meeting"], True),
        ("room", ["count", "room"], True),
        ("update", ["meeting"], True),
    ]


async def test_a_preview_without_fields_is_full_of_examples(stub: Stub, app: RunningApp) -> None:
    preview = await stub.PreviewTemplate(task_pb2.PreviewTemplateRequest())

    assert preview.subject
    assert preview.subject in preview.text
    assert preview.html.startswith("<p>")
    assert preview.size_bytes > len(preview.html)
    assert await app.resources.mongo.jobs.count_documents({}) == 0


async def test_a_preview_uses_the_given_fields(stub: Stub) -> None:
    preview = await stub.PreviewTemplate(
        task_pb2.PreviewTemplateRequest(
            template="room", variables={"room": "<4>", "count": "1"}, message="Come"
        )
    )

    assert (preview.subject, preview.text, preview.html) == (
        "Come",
        "<4> of 1 ?",
        "<p>&lt;4&gt; 1</p>",
    )


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (task_pb2.PreviewTemplateRequest(template="lost"), ["template"]),
        (task_pb2.PreviewTemplateRequest(template="room"), ["variables", "variables"]),
        (task_pb2.PreviewTemplateRequest(email="no-at-sign", name="\n"), ["email", "name"]),
        (
            task_pb2.PreviewTemplateRequest(template="room", variables={"room": "4", "count": "0"}),
            ["variables"],
        ),
    ],
    ids=["unknown", "missing", "no address", "unsuitable"],
)
async def test_violations_use_the_field_names_of_this_request(
    stub: Stub,
    request_: task_pb2.PreviewTemplateRequest,
    fields: list[str],
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PreviewTemplate(request_)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [field for field, _ in violations(status_of(caught.value))] == fields
