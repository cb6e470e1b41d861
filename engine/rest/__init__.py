"""The engine for people and tools: oVirt's version 4 API over HTTPS, as far as there is something to do.

`shapes` says how a resource is described, `resources` describes each, `endpoints` lists what can be asked.
XML, JSON, the OpenAPI document, credentials and roles all follow from these tables.

To add an endpoint, describe its resource in `resources`, write a handler that makes documents of it, name it
in `endpoints` with the least role that may ask, and give it a row in docs/rest.md. Its tests for credentials,
roles and the OpenAPI document come by themselves; what it does takes one of its own.
"""
