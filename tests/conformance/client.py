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
}

# These end or change what the others need, or cannot be called without what only they know.
LEFT_OUT = {"orchestrator_registry", "orchestrator_restart_server"}


async def tools(client):
    called = 0
    for tool in (await client.list_tools()).tools:
        if tool.name in LEFT_OUT:
            continue
        for arguments in CALLS.get(tool.name, [{}]):
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
