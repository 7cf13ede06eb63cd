"""Drives every tool, resource, prompt and completion of `to-mcp` with the official Python client, in one mode.

usage: client.py MODE PROJECT TO_MCP...      MODE: legacy, or a revision such as 2026-07-28

What must stay true: a result that the client refuses (a schema that does not hold, an unknown field) ends this with an error.
"""

import asyncio
import json
import os
import sys

from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import PromptReference, ResourceTemplateReference

# Stands for the id of a task without others below it, made for the purpose.
TASK = "$task"

# What each tool is called with; a tool that is not here is called with nothing and must answer all the same.
CALLS = {
    "orchestrator_plan": [
        {"plan": {"title": "Top", "tasks": [{"name": "a", "title": "A"}, {"title": "B", "after": ["a"]}]}},
        {"action": "add", "title": "One more"},
        {"action": "templates"},
    ],
    "orchestrator_tasks": [{"action": action} for action in ("list", "tree", "stats")],
    "orchestrator_workspace": [
        {"action": action} for action in ("detect", "show", "list", "roles", "settings", "status")
    ],
    "orchestrator_next": [{}, {"claim": True}],
    "orchestrator_changes": [{"action": "files"}, {"action": "clock"}, {"since": "1h"}],
    "orchestrator_task": [{"action": "note", "task": TASK, "text": "half done"}],
    "orchestrator_artifact": [
        {"action": "store", "task": TASK, "name": "a.md", "text": "hello"},
        {"action": "list"},
        {"action": "search", "text": "hel+o"},
    ],
    "orchestrator_decision": [
        {"action": "record", "title": "Oak", "decision": "It is oak", "rationale": "It lasts"},
        {"action": "list"},
    ],
    "orchestrator_context": [
        {},
        {"action": "remember", "text": "the cache is cold"},
        {"action": "recall", "text": "cache"},
        {"action": "context", "task": TASK},
        {"action": "handover", "store": True},
    ],
    "orchestrator_session": [{"action": "start", "name": "s"}, {"action": "list"}, {"action": "end"}],
    "orchestrator_daemon": [{}, {"action": "reboots"}],
    "orchestrator_settings": [{}],
    "orchestrator_roles": [{}],
    # The twelve of the older program.
    "orchestrator_initialize_session": [{}],
    "orchestrator_plan_task": [
        {"description": "A door", "subtasks_json": json.dumps([{"title": "Hinge", "specialist_type": "coder"}])}
    ],
    "orchestrator_execute_subtask": [{"task_id": TASK}],
    "orchestrator_complete_subtask": [
        {"task_id": TASK, "summary": "done", "detailed_work": "all of it", "next_action": "continue"}
    ],
    "orchestrator_synthesize_results": [{"parent_task_id": TASK}],
    "orchestrator_get_status": [{}, {"include_completed": True}],
    "orchestrator_maintenance_coordinator": [
        {"action": action}
        for action in ("scan_cleanup", "validate_structure", "update_documentation", "prepare_handover")
    ],
    "orchestrator_health_check": [{"include_reboot_readiness": False}],
    "orchestrator_shutdown_prepare": [{}],
    "orchestrator_reconnect_test": [{}],
    "orchestrator_restart_status": [{}],
}

# These end or change what the others need, or cannot be called without what only they know.
LEFT_OUT = {"orchestrator_registry", "orchestrator_restart_server"}


async def made(client, names):
    """A task to work on: one of its own for each call that ends it."""
    if "orchestrator_plan" in names:
        result = await client.call_tool("orchestrator_plan", {"action": "add", "title": "To work on"})
        return result.structured_content["task_id"]
    result = await client.call_tool("orchestrator_plan_task", CALLS["orchestrator_plan_task"][0])
    planned = [task["task_id"] for task in result.structured_content["tasks"]]
    return planned[-1]


async def tools(client):
    called = 0
    listed = (await client.list_tools()).tools
    task = await made(client, {tool.name for tool in listed})
    for tool in listed:
        if tool.name in LEFT_OUT:
            continue
        for arguments in CALLS.get(tool.name, [{}]):
            arguments = {name: task if value == TASK else value for name, value in arguments.items()}
            result = await client.call_tool(tool.name, arguments)
            if tool.name in CALLS and result.is_error:
                sys.exit(f"{tool.name} {json.dumps(arguments)}: {result.content[0].text}")
            if result.is_error and not result.content[0].text:
                sys.exit(f"{tool.name} fails without a word")
            called += 1
    return called


def task_of(resources):
    """The id of an open task, from its address."""
    return next(str(resource.uri).rsplit("/", 1)[1] for resource in resources if "/tasks/" in str(resource.uri))


async def main():
    mode, project, *command = sys.argv[1:]
    server = StdioServerParameters(command=command[0], args=command[1:], cwd=project, env=dict(os.environ))
    async with Client(server, mode=mode) as client:
        called = await tools(client)
        resources = (await client.list_resources()).resources
        task = task_of(resources)
        for resource in resources:
            contents = (await client.read_resource(resource.uri)).contents
            assert contents and contents[0].uri == resource.uri, resource
        templates = (await client.list_resource_templates()).resource_templates
        assert templates, "no templates"
        prompts = (await client.list_prompts()).prompts
        for prompt in prompts:
            arguments = {argument.name: task for argument in prompt.arguments or []}
            messages = (await client.get_prompt(prompt.name, arguments)).messages
            assert messages[0].content.text, prompt
            reference = PromptReference(type="ref/prompt", name=prompt.name)
            for argument in prompt.arguments or []:
                await client.complete(reference, {"name": argument.name, "value": task[:3]})
        for template in templates:
            reference = ResourceTemplateReference(type="ref/resource", uri=template.uri_template)
            found = await client.complete(reference, {"name": "task", "value": task})
            if "{task}" in template.uri_template:
                assert found.completion.values == [task], found
        print(f"{mode}: {called} calls, {len(resources)} resources, {len(templates)} templates, {len(prompts)} prompts")


asyncio.run(main())
