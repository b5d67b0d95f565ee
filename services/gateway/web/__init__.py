"""The web page: views and widgets on `operations`. It owns no logic; all state is in the API, the URL or the draft."""
