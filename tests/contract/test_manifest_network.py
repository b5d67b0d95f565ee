"""NetworkPolicies let through what the processes call by their settings, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest

from scripts.manifests import OVERLAYS, Resource, named, of_kind, resources
from tests.contract.workloads import Workload, workloads

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
PRIVATE = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}
# A call: who, whom, which port. What lies outside the namespace is called "outside".
Call = tuple[str, str, int]


def needed(overlay: str) -> set[Call]:
    """By the settings of every process."""
    inside = {each.name for each in workloads(overlay)}
    return {
        (caller.name, address.name if address.name in inside else "outside", address.port)
        for caller in workloads(overlay)
        for address in caller.addresses().values()
    }


def allowed(overlay: str, policies: Sequence[Resource]) -> set[Call]:
    """By policies: both ends must agree; of what lies outside only the caller's end is ours."""
    calls: set[Call] = set()
    for caller in workloads(overlay):
        calls |= {(caller.name, "outside", port) for port in outside_ports(caller, policies)}
    for caller, target in product(workloads(overlay), repeat=2):
        out, into = peer_ports(policies, "egress", caller, target), peer_ports(policies, "ingress", target, caller)
        calls |= {(caller.name, target.name, port) for port in set(out) & set(into)}
    return calls


def peer_ports(policies: Sequence[Resource], way: str, own: Workload, peer: Workload) -> Iterator[int]:
    """The ports that policies of `own` open towards `peer` (egress) or to it (ingress)."""
    server = peer if way == "egress" else own
    for rule in rules(policies, way, own):
        peers = rule.get("to" if way == "egress" else "from", ())
        if any("podSelector" in each and "namespaceSelector" not in each and selects(each, peer) for each in peers):
            for port in rule["ports"]:
                yield server.ports[port["port"]] if isinstance(port["port"], str) else port["port"]


def outside_ports(caller: Workload, policies: Sequence[Resource]) -> Iterator[int]:
    """The ports of private addresses that a caller may reach."""
    for rule in rules(policies, "egress", caller):
        blocks = {each["ipBlock"]["cidr"] for each in rule["to"] if "ipBlock" in each}
        assert blocks <= PRIVATE, f"{caller.name} may reach the internet"
        if blocks:
            yield from (port["port"] for port in rule["ports"])


def rules(policies: Sequence[Resource], way: str, own: Workload) -> Iterator[Mapping[str, Any]]:
    """Of all policies that are about `own`."""
    for policy in policies:
        if selects(policy["spec"], own):
            yield from policy["spec"].get(way, ())


def selects(holder: Mapping[str, Any], workload: Workload) -> bool:
    """Whether the podSelector of `holder` means the pods of a workload."""
    selector = holder["podSelector"]
    expressions = selector.get("matchExpressions", ())
    assert all(each["operator"] == "In" for each in expressions)
    return selector.get("matchLabels", {}).items() <= workload.labels.items() and all(
        workload.labels.get(each["key"]) in each["values"] for each in expressions
    )


@each_overlay
def test_exactly_the_calls_that_the_settings_make_are_let_through(overlay: str) -> None:
    calls = allowed(overlay, of_kind(resources(overlay), "NetworkPolicy"))
    if overlay == "dev":  # its database and bucket lie inside; the way out, for those of a company, does no harm
        calls = {call for call in calls if call[1] != "outside"}
    assert calls == needed(overlay)


@each_overlay
def test_what_no_policy_names_is_closed(overlay: str) -> None:
    closed = named(resources(overlay), "NetworkPolicy", "default-deny")["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert allowed(overlay, [named(resources(overlay), "NetworkPolicy", "default-deny")]) == set()


def test_from_other_namespaces_come_callers_to_the_doors_and_prometheus_to_metrics() -> None:
    for workload in workloads("cpu"):
        from_others = [
            (each["namespaceSelector"], [port["port"] for port in rule["ports"]])
            for rule in rules(of_kind(resources("cpu"), "NetworkPolicy"), "ingress", workload)
            for each in rule["from"]
            if "namespaceSelector" in each
        ]
        callers = ({"matchLabels": {"chorus.dev/caller": "true"}}, ["http", "grpc"])
        allowed_in = [callers] if workload.name == "api" else []
        if "metrics" in workload.ports:
            allowed_in.append(({"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}, ["metrics"]))
        assert from_others == allowed_in, workload.name


CHANGES: dict[str, Callable[[list[Resource]], object]] = {
    "a policy is missing": lambda policies: policies.remove(by_name(policies, "into-triton")),
    "one end is closed": lambda policies: by_name(policies, "to-preprocess")["spec"]["egress"].clear(),
    "a wrong port": lambda policies: by_name(policies, "to-triton")["spec"]["egress"][0]["ports"][0].update(port=8000),
    "one more caller": lambda policies: by_name(policies, "to-database")["spec"]["podSelector"].update(
        matchExpressions=[{"key": "app.kubernetes.io/component", "operator": "In", "values": ["preprocess"]}]
    ),
}


def by_name(policies: Sequence[Resource], name: str) -> Resource:
    """One of several policies."""
    return named(policies, "NetworkPolicy", name)


@pytest.mark.parametrize("change", CHANGES)
def test_a_policy_that_is_wrong_is_found(change: str) -> None:
    policies = copy.deepcopy(of_kind(resources("cpu"), "NetworkPolicy"))
    CHANGES[change](policies)
    assert allowed("cpu", policies) != needed("cpu")
