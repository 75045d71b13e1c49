"""The operators' side: directory, keys, traces, dead letters, schedules."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from shared.client import answers
from shared.client.mail import MailCalls
from shared.client.persons import PersonCalls
from shared.client.preferences import PreferenceCalls
from shared.client.transport import Call


class Console(PersonCalls, PreferenceCalls, MailCalls):
    """The console's API: `async with Console(url, admin_key) as console`.

    Every method raises RefusedError when the console says no and UnavailableError when it did not answer in time.
    """

    async def put_user(self, user: Mapping[str, Any]) -> answers.User:
        """Make or change a user; `user` has the wire's fields, of which only `id` must be there."""
        path = f"/v1/users/{quote(str(user['id']), safe='')}"
        return answers.User.model_validate(await self._put(path, dict(user)))

    async def user(self, user_id: str) -> answers.User:
        """One user."""
        return answers.User.model_validate(await self._get(f"/v1/users/{quote(user_id, safe='')}"))

    def users(self) -> AsyncIterator[answers.User]:
        """Every user, page by page."""
        return self._listed("/v1/users", answers.User)

    async def import_users(self, file: bytes, content_type: str) -> answers.Imported:
        """Make or change the users of a file, `text/csv` or `application/x-ndjson`, at most 16 MiB.

        Wrong lines are told and do not stop the others.
        """
        return await self.import_directory(file, content_type, "users")

    async def import_directory(self, file: bytes, content_type: str, content: str) -> answers.Imported:
        """As `import_users`, of what the file holds: `users`, `groups` or `members`."""
        path, query = "/v1/directory/import", {"of": content}
        call = Call("POST", path, repeatable=True, body=file, content_type=content_type, query=query)
        return answers.Imported.model_validate(await self._transport.answer(call))

    async def put_group(self, kind: str, group_id: str, group: Mapping[str, Any]) -> answers.Group:
        """Make or change a group; `group` has the wire's `name`, `company` and `parent`."""
        return answers.Group.model_validate(await self._put(_group_path(kind, group_id), dict(group)))

    def groups(self, kind: str) -> AsyncIterator[answers.Group]:
        """Every group of a kind, page by page."""
        return self._listed(f"/v1/groups/{quote(kind, safe='')}", answers.Group)

    async def delete_group(self, kind: str, group_id: str) -> None:
        """Delete a group with its memberships."""
        await self._delete(_group_path(kind, group_id))

    async def put_member(self, kind: str, group_id: str, user_id: str, status: str = "accepted") -> answers.Member:
        """Take a user into a group, or give a member another status."""
        path = f"{_group_path(kind, group_id)}/members/{quote(user_id, safe='')}"
        return answers.Member.model_validate(await self._put(path, {"status": status}))

    def members(self, kind: str, group_id: str) -> AsyncIterator[answers.Member]:
        """Every member of a group, page by page."""
        return self._listed(f"{_group_path(kind, group_id)}/members", answers.Member)

    async def delete_member(self, kind: str, group_id: str, user_id: str) -> None:
        """Take a user out of a group."""
        await self._delete(f"{_group_path(kind, group_id)}/members/{quote(user_id, safe='')}")

    async def create_endpoint(self, recipient: str, address: str, kind: str = "webhook") -> answers.Endpoint:
        """Register where push reaches a recipient; the answer alone shows the secret that signs what is sent there."""
        body = {"recipient": recipient, "channel": "push", "kind": kind, "address": address}
        return answers.Endpoint.model_validate(await self._post("/v1/endpoints", body))

    def endpoints(self) -> AsyncIterator[answers.Endpoint]:
        """Every push endpoint, page by page."""
        return self._listed("/v1/endpoints", answers.Endpoint)

    async def delete_endpoint(self, endpoint_id: UUID) -> None:
        """Remove a push endpoint."""
        await self._delete(f"/v1/endpoints/{endpoint_id}")

    async def put_class(self, key: str, options: Mapping[str, Any], name: str = "") -> answers.CommunicationClass:
        """Make or change a communication class."""
        path = f"/v1/classes/{quote(key, safe='')}"
        answer = await self._put(path, {"name": name or key, "options": dict(options)})
        return answers.CommunicationClass.model_validate({"key": key, **answer})

    async def create_key(self, name: str, scopes: Sequence[str], expires_at: datetime | None = None) -> answers.ApiKey:
        """Make an API key of this key's tenant; the answer alone shows it."""
        body = {"name": name, "scopes": list(scopes), "expires_at": expires_at.isoformat() if expires_at else None}
        return answers.ApiKey.model_validate(await self._post("/v1/keys", body))

    async def rotate_key(self, key_id: str, both_seconds: int | None = None) -> answers.ApiKey:
        """Give a key a new text; the one before opens for `both_seconds` more, a day unless said."""
        body = {} if both_seconds is None else {"both_seconds": both_seconds}
        return answers.ApiKey.model_validate(await self._post(f"/v1/keys/{quote(key_id, safe='')}/rotate", body))

    async def revoke_key(self, key_id: str) -> None:
        """End a key at once."""
        await self._delete(f"/v1/keys/{quote(key_id, safe='')}")

    def api_keys(self) -> AsyncIterator[answers.ApiKey]:
        """Every key of the tenant, without its secret."""
        return self._listed("/v1/keys", answers.ApiKey)

    async def trace(self, notification_id: UUID, recipient: str | None = None) -> answers.Trace:
        """What became of a notification, for each recipient and channel, and why; or for one recipient."""
        query = {"recipient": recipient} if recipient else {}
        found = answers.Trace.model_validate(await self._get(f"/v1/traces/{notification_id}", query))
        deliveries, timeline = list(found.deliveries), list(found.timeline)
        while found.next is not None:
            page = await self._get(f"/v1/traces/{notification_id}", {**query, "cursor": found.next})
            found = answers.Trace.model_validate(page)
            deliveries += found.deliveries
            timeline += found.timeline
        timeline.sort(key=lambda moment: moment.at)
        return found.model_copy(update={"deliveries": tuple(deliveries), "timeline": tuple(timeline)})

    def dead_letters(self, reason: str | None = None) -> AsyncIterator[answers.DeadLetter]:
        """Every dead letter, or those of one reason."""
        return self._listed("/v1/dead-letters", answers.DeadLetter, {"reason": reason} if reason else {})

    async def dead_letter(self, letter_id: UUID) -> answers.DeadLetter:
        """One dead letter with its original bytes as base64."""
        return answers.DeadLetter.model_validate(await self._get(f"/v1/dead-letters/{letter_id}"))

    async def redrive(self, selection: Mapping[str, Any]) -> answers.Redriven:
        """Send dead letters again, keeping their ids.

        `selection` has `ids`, `reason` or `since`, and optionally `rate_per_second` and `dry_run`.
        """
        return answers.Redriven.model_validate(await self._post("/v1/dead-letters/redrive", dict(selection)))

    def schedules(self, owner: str | None = None) -> AsyncIterator[answers.Schedule]:
        """Every schedule, or those of an owner, page by page."""
        return self._listed("/v1/schedules", answers.Schedule, {"owner": owner} if owner else None)

    async def cancel_schedule(self, schedule_id: int) -> None:
        """Cancel what was asked for later and is not released yet."""
        await self._delete(f"/v1/schedules/{schedule_id}")


def _group_path(kind: str, group_id: str) -> str:
    return f"/v1/groups/{quote(kind, safe='')}/{quote(group_id, safe='')}"
