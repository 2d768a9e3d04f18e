"""python3 -m unittest, in this folder. The vectors are the TypeScript client's; with COUNTERSIGN_URL, COUNTERSIGN_API_KEY and
COUNTERSIGN_TOKEN (an approver's personal token) set, the client also meets a running service."""

import copy
import json
import os
import pathlib
import unittest
import urllib.request
import uuid

import countersign
from countersign import Client, ClientError, NotRun

VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "packages/client/vectors/vectors.json").read_text("utf-8"))
NOW = VECTORS["now"]
HAS_CRYPTOGRAPHY = countersign.Ed25519PublicKey is not None
URL, API_KEY, TOKEN = (os.environ.get(name) for name in ("COUNTERSIGN_URL", "COUNTERSIGN_API_KEY", "COUNTERSIGN_TOKEN"))


def code_of(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
        return "ok"
    except ClientError as error:
        return error.code


class Digests(unittest.TestCase):
    def test_a4_canonical_json_is_that_of_the_vectors_or_refused(self):
        for vector in VECTORS["canonical"]:
            with self.subTest(vector["json"]):
                value = json.loads(vector["json"])
                if vector["python"] == "refused":
                    self.assertEqual(code_of(countersign.canonical_json, value), "invalid_action")
                else:
                    self.assertEqual(countersign.canonical_json(value), vector["canonical"])

    def test_a4_what_cannot_be_written_in_one_way_is_refused(self):
        values = [json.loads(text) for text in VECTORS["not_canonical"]]
        for value in [*values, 1.0, -0.0, 1e-7, 1e22, float("nan"), float("inf"), 2**53, {1: 2}, {"a": object()}, b"bytes", {1, 2}]:
            with self.subTest(repr(value)):
                self.assertEqual(code_of(countersign.canonical_json, {"value": value}), "invalid_action")

    def test_a4_actions(self):
        for vector in VECTORS["actions"]:
            self.assertEqual(countersign.action_digest(vector["action"]), vector["digest"])


class Webhooks(unittest.TestCase):
    def test_d1_callbacks(self):
        for vector in VECTORS["webhooks"]:
            with self.subTest(vector["name"]):
                by_key = vector["trust"] == "jwks"
                trust = {"jwks": VECTORS["jwks"]} if by_key else {"secret": VECTORS["secret"]}
                came = code_of(countersign.verify_outcome, vector["body"].encode("utf-8"), vector["headers"], now=NOW, **trust)
                self.assertEqual(came, vector["result"] if HAS_CRYPTOGRAPHY or not by_key else "invalid_options")

    def test_d1_nothing_verifies_without_a_key(self):
        vector = VECTORS["webhooks"][0]
        for trust in ({}, {"secret": ""}, {"secret": "whsec_"}, {"secret": "whsec_c2hvcnQ="}, {"jwks": {"keys": []}}):
            self.assertEqual(code_of(countersign.verify_outcome, vector["body"], vector["headers"], now=NOW, **trust), "invalid_options")
        self.assertEqual(code_of(countersign.verify_outcome, vector["body"], vector["headers"], now=NOW, secret=[]), "invalid_signature")


class Grants(unittest.TestCase):
    def test_a4_grants(self):
        for vector in VECTORS["grants"]:
            with self.subTest(vector["name"]):
                checks = {name: vector[name] for name in ("issuer", "audience", "action")}
                came = code_of(countersign.verify_grant, vector["grant"], jwks=VECTORS["jwks"], now=NOW, **checks)
                self.assertTrue(came == vector["result"] if HAS_CRYPTOGRAPHY else came in ("invalid_grant", "invalid_options"), came)


def export(**parameters):
    return {
        "action": "data.export",
        "resource": {"type": "postgres_table", "id": "prod.customers"},
        "parameters": {"format": "csv", **parameters},
        "actor": {"type": "agent", "id": "retrainer", "on_behalf_of": {"type": "person", "id": "dana@example.com"}},
        "environment": "production",
    }


def decide(verdict, reason=None):
    """For on_submitted: the approver decides at once."""

    def on_submitted(request):
        body = {"verdict": verdict, "request_digest": request["request_digest"], **({"reason": reason} if reason else {})}
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        call = urllib.request.Request(f"{URL}/v1/action-requests/{request['id']}/decisions", json.dumps(body).encode(), headers, method="POST")
        urllib.request.urlopen(call).read()

    return on_submitted


class Lying(Client):
    """A service, or somebody between, that answers about another action."""

    def __init__(self, change):
        super().__init__(URL, API_KEY)
        self.change = change

    def _try(self, *args):
        value, *rest = super()._try(*args)
        return (self.change(value) if isinstance(value, dict) else value, *rest)


@unittest.skipUnless(URL and API_KEY and TOKEN, "no running service is named")
class Service(unittest.TestCase):
    def setUp(self):
        self.client = Client(URL, API_KEY)
        self.ran = []

    def guard(self, action=None, client=None, **options):
        options.setdefault("on_submitted", decide("approve"))
        return (client or self.client).guard(action or export(rows=1), lambda frozen: self.ran.append(frozen) or len(self.ran), timeout_seconds=30, **options)

    def test_a1_a2_an_approved_function_runs_with_its_arguments(self):
        actor = {"type": "agent", "id": "retrainer"}

        @self.client.guarded("data.export", resource=lambda args: {"type": "postgres_table", "id": args["table"]}, actor=actor, on_submitted=decide("approve"), timeout_seconds=30)
        def do_export(table, rows, format="csv"):
            return f"{rows} rows of {table} as {format}"

        self.assertEqual(do_export("prod.customers", rows=3), "3 rows of prod.customers as csv")

    def test_a3_what_policy_allows_runs_at_once(self):
        action = {**export(), "resource": {"type": "postgres_table", "id": "prod.weather"}}
        self.assertEqual(self.guard(action, on_submitted=None), 1)

    def test_d2_a_denial_does_not_run_and_says_why(self):
        with self.assertRaises(NotRun) as raised:
            self.guard(on_submitted=decide("deny", "Not this table."))
        self.assertEqual((raised.exception.kind, raised.exception.reason, len(raised.exception.decisions)), ("denied", "Not this table.", 1))
        self.assertEqual(self.ran, [])

    def test_a2_expiry_and_an_own_timeout_do_not_run(self):
        with self.assertRaises(NotRun) as raised:
            self.client.guard(export(), self.ran.append, timeout_seconds=0)
        self.assertEqual(raised.exception.kind, "timed_out")
        asked = self.client.submit(export(), timeout_seconds=1)
        with self.assertRaises(NotRun) as raised:
            self.client.wait(asked["id"], 20)
            self.client.run_approved(asked["id"], export(), self.ran.append)
        self.assertEqual((raised.exception.kind, self.ran), ("expired", []))

    def test_a2_ctrl_c_takes_the_request_back(self):
        asked = []

        def interrupt(request):
            asked.append(request["id"])
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.guard(on_submitted=interrupt)
        self.assertEqual((self.client.get(asked[0])["status"], self.ran), ("cancelled", []))

    def test_d3_a_revoked_approval_does_not_run(self):
        asked = self.client.submit(export())
        decide("approve")(asked)
        self.client.revoke(asked["id"])
        with self.assertRaises(NotRun) as raised:
            self.client.run_approved(asked["id"], export(), self.ran.append)
        self.assertEqual((raised.exception.kind, self.ran), ("revoked", []))

    def test_a4_arguments_changed_while_people_decide_do_not_run(self):
        action = export(rows=1, nested={"destination": "s3://ours"})

        def approve_and_edit(request):
            decide("approve")(request)
            action["parameters"]["nested"]["destination"] = "s3://theirs"
            action["parameters"]["rows"] = 999999

        self.guard(action, on_submitted=approve_and_edit)
        self.assertEqual(self.ran[0]["parameters"], {"format": "csv", "rows": 1, "nested": {"destination": "s3://ours"}})

    def test_a4_a_stored_call_that_was_edited_does_not_run(self):
        asked = self.client.submit(export(rows=1))
        decide("approve")(asked)
        self.assertEqual(code_of(self.client.run_approved, asked["id"], export(rows=999999), self.ran.append), "digest_mismatch")
        grant = self.client.get(asked["id"])["outcome"]["grant"]
        with self.assertRaises(ClientError) as raised:
            self.client.redeem(grant, export(rows=999999))
        self.assertEqual((raised.exception.refusal, self.ran), ("action_mismatch", []))

    def test_a4_an_approval_runs_once_and_a_caller_that_starts_again_joins_it(self):
        key = str(uuid.uuid4())
        asked = self.client.submit(export(rows=7), key=key)
        decide("approve")(asked)
        self.assertEqual(self.guard(export(rows=7), key=key, on_submitted=None), 1)
        self.assertEqual(self.ran[0]["parameters"]["rows"], 7)
        self.assertEqual(code_of(self.guard, export(rows=7), key=key, on_submitted=None), "already_redeemed")
        with self.assertRaises(ClientError) as raised:
            self.guard(export(rows=8), key=key, on_submitted=None)
        self.assertEqual((raised.exception.refusal, len(self.ran)), ("idempotency_key_reused", 1))

    def test_a4_a_lying_answer_runs_nothing(self):
        other = "sha256:" + "0" * 64

        def digest(value):
            return {**value, "action_digest": other} if "action_digest" in value else value

        def outcome(value):
            changed = copy.deepcopy(value)
            if changed.get("outcome"):
                changed["outcome"]["action_digest"] = other
            return changed

        def redemption(value):
            return {**value, "grant_id": "gr_019f0000-0000-7000-8000-000000000001"} if "grant_id" in value else value

        def approval(value):
            return {**value, "status": "approved", "outcome": {**value["outcome"], "status": "approved"}} if value.get("outcome") else value

        for change, verdict in ((digest, "approve"), (outcome, "approve"), (redemption, "approve")):
            with self.subTest(change.__name__):
                self.assertEqual(code_of(self.guard, client=Lying(change), on_submitted=decide(verdict)), "digest_mismatch")
        # A denial that is said to be an approval has no grant, and the service gives none for it.
        with self.assertRaises((NotRun, ClientError)):
            self.guard(client=Lying(approval), on_submitted=decide("deny"))
        self.assertEqual(self.ran, [])

    @unittest.skipUnless(HAS_CRYPTOGRAPHY, "needs cryptography")
    def test_a4_pinned_keys_hold_grants_to_who_made_them(self):
        pinned = Client(URL, API_KEY, jwks=self.client.jwks())
        self.assertEqual(self.guard(client=pinned), 1)
        foreign = Client(URL, API_KEY, jwks=VECTORS["jwks"])
        self.assertEqual(code_of(self.guard, client=foreign), "invalid_grant")
        self.assertEqual(len(self.ran), 1)

    def test_d2_what_the_action_raises_is_raised(self):
        def fails(_action):
            raise RuntimeError("the disk is full")

        with self.assertRaisesRegex(RuntimeError, "the disk is full"):
            self.client.guard(export(), fails, on_submitted=decide("approve"), timeout_seconds=30)


if __name__ == "__main__":
    unittest.main()
