"""What a person does to log in, on the pages of the demo."""


def log_in(tab, *, username, password, remember=False):
    """Fill in the login page that the tab shows."""
    tab.get_by_label("Name").fill(username)
    tab.get_by_label("Password").fill(password)
    if remember:
        tab.get_by_label("Remember me").check()
    tab.get_by_role("button", name="Log in", exact=True).click()


def log_in_at(tab, site, **user):
    tab.goto(f"{site}/login?next=/starlette/me")
    log_in(tab, **user)
    tab.wait_for_url(f"{site}/starlette/me")
