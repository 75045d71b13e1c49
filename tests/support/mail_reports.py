"""Reports as mail servers write them: bounces (RFC 3464) and complaints (RFC 5965)."""

BOUNCE = """\
From: Mail Delivery System <MAILER-DAEMON@mx.example>
To: {to}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="frontier"

--frontier
Content-Type: text/plain

I am sorry.

--frontier
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Mon, 23 Nov 2026 10:00:00 +0000

Original-Recipient: rfc822;{address}
Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} <{address}>: no

--frontier
Content-Type: message/rfc822

Return-Path: <bounces@acme.example>
From: Acme <alarms@acme.example>
To: {address}
Subject: Boiler 7
Message-ID: <{message_id}@acme.example>

It is hot.

--frontier--
"""

COMPLAINT = """\
From: <abusedesk@provider.example>
To: <{to}>
Subject: FW: Boiler 7
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="frontier"

--frontier
Content-Type: text/plain

This is an email abuse report.

--frontier
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <bounces@acme.example>
Original-Rcpt-To: <{address}>

--frontier
Content-Type: text/rfc822-headers

From: Acme <alarms@acme.example>
Message-ID: <{message_id}@acme.example>
Subject: Boiler 7

--frontier--
"""


def bounce(message_id: object, **given: str) -> bytes:
    """A bounce of one mail, 5.1.1 unless `status` says otherwise."""
    told = {"to": "bounces@acme.example", "address": "ada@example.test", "action": "failed", "status": "5.1.1", **given}
    return BOUNCE.format(message_id=message_id, **told).replace("\n", "\r\n").encode()


def complaint(message_id: object, **given: str) -> bytes:
    """A complaint about one mail."""
    told = {"to": "fbl@acme.example", "address": "ada@example.test", "kind": "abuse", **given}
    return COMPLAINT.format(message_id=message_id, **told).replace("\n", "\r\n").encode()
