"""The example shop starts, sells, and does the harm that it is there to show."""

import sys
from pathlib import Path

import pytest
from harness import neighbour, request_beside, serve_from

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="the shop is written for Python 3.11"),
]
SHOP = Path(__file__).parents[2] / "fixtures" / "apps" / "shop"
ORDER = {"sku": "mug", "email": "ada@example.org"}
NOBODY_LISTENS = "1"
GREY_2X2 = b"P5 2 2 255\n\x10\x40\x80\xff"


def test_without_a_mail_server_the_customer_has_a_201_for_an_order_that_is_gone(tmp_path: Path) -> None:
    with (
        neighbour(b'{"id": "p-1"}') as payment,
        neighbour(b"{}") as subscriber,
        serve_from(
            SHOP,
            "shop.main:app",
            SHOP_DATA_DIR=str(tmp_path),
            SHOP_PAYMENT_URL=payment.url,
            SHOP_SMTP_PORT=NOBODY_LISTENS,
        ) as shop,
    ):
        shop.http.put("/subscriptions", json={"url": f"{subscriber.url}/hook"}).raise_for_status()
        assert shop.http.post("/orders", json=ORDER).status_code == 201
        assert payment.received == ["POST /charges"], "the money was taken"

        shop.wait_for_log("Exception in ASGI application")
        assert "POST /hook" not in subscriber.received, "the webhook was skipped"
        assert not (tmp_path / "audit.log").exists(), "the audit entry was skipped"
        assert shop.http.delete("/orders/1").status_code == 404, "the order was rolled back"


def test_a_slow_payment_stops_the_other_requests_and_a_slow_warehouse_does_not(tmp_path: Path) -> None:
    with (
        neighbour(b'{"id": "p-1", "stock": 4, "days": 2}', delay=1.0) as slow,
        serve_from(
            SHOP,
            "shop.main:app",
            SHOP_DATA_DIR=str(tmp_path),
            SHOP_PAYMENT_URL=slow.url,
            SHOP_WAREHOUSE_URL=slow.url,
            SHOP_SMTP_PORT=NOBODY_LISTENS,
        ) as shop,
    ):
        quote = request_beside(
            shop, lambda: shop.http.get("/orders/quote/mug"), lambda: "GET /stock/mug" in slow.received
        )
        order = request_beside(
            shop, lambda: shop.http.post("/orders", json=ORDER), lambda: "POST /charges" in slow.received
        )
    assert quote.answer.json() == {"sku": "mug", "price": 9.5, "stock": 4, "days": 2}
    assert order.answer.json() == {"order": 1, "total": 9.5}
    assert order.other_seconds >= 3 * quote.other_seconds


def test_images_get_thumbnails_and_a_broken_one_fails_in_the_log(tmp_path: Path) -> None:
    with serve_from(SHOP, "shop.main:app", SHOP_DATA_DIR=str(tmp_path)) as shop:
        assert shop.http.put("/images/broken", content=GREY_2X2[:-1]).status_code == 202
        shop.wait_for_log("ValueError: 3 bytes are no 2x2 image")
        assert shop.http.put("/images/mug", content=GREY_2X2).status_code == 202
        shop.wait_until(lambda: len(shop.http.get("/images/mug").json()) == 3, "thumbnails")
        assert (tmp_path / "images" / "mug-64.png").read_bytes().startswith(b"\x89PNG")
        assert shop.http.get("/images/broken").json() == []
