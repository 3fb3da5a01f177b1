from tests.api.support import *


def test_smoke(database, tmp_path):
    with served(database, tmp_path) as s:
        r = s.post("/journals", receipt("A"))
        print(r.status_code, r.headers, r.text)
        assert r.status_code == 201
        r = s.post("/journals", receipt("A"))
        print(r.status_code, r.text)
        r = s.post("/journals", receipt("B", "1.5"))
        print(r.status_code, r.text)
        r = s.post("/journals:batch", {"journals": [receipt(), receipt(), receipt("x", "-1.00")]})
        print(r.status_code, r.text)
        r = s.post(
            "/journals:batch",
            {"linked": True, "journals": [receipt(), receipt(), receipt("x", "-1.00")]},
        )
        print(r.status_code, r.text)
        r = s.post(
            "/journals:batch",
            {"linked": True, "journals": [receipt(), receipt(), receipt("x", "1.00")]},
        )
        print(r.status_code, r.text)
        r = s.get("/journals?limit=2")
        print(r.status_code, r.text)
        r = s.get("/journals/2")
        print(r.status_code, r.text)
        r = s.post(
            "/journals/2:reverse", {"reference": "R1", "effective_on": TODAY, "reason": "salah"}
        )
        print(r.status_code, r.text)
        r = s.get(f"/balances?account={CASH}&on=2026-11-20")
        print(r.status_code, r.text)
        r = s.get(f"/balances/history?account={CASH}&limit=2")
        print(r.status_code, r.text)
        r = s.get("/trial-balance")
        print(r.status_code, r.text)
        r = s.client.get("/readyz")
        print(r.status_code, r.text)
        r = s.client.get("/nope")
        print(r.status_code, r.text)
        r = s.client.get("/metrics")
        print(r.status_code, r.text[-600:])
        r = s.client.get("/problems/over_cash")
        print(r.status_code, r.text[-600:])
