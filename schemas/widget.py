"""What GET /widget/{website_token}/config answers to a page of the store."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class WidgetConfig(BaseModel):
    """Chatwoot's widget for this store: arguments of `chatwootSDK.run`, and keys of `window.chatwootSettings`."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    website_token: str
    base_url: str
    locale: str
    type: Literal["standard", "expanded_bubble"] = "standard"
    launcher_title: str
    position: Literal["left", "right"] = "right"
    hide_message_bubble: bool = True  # the storefront has a launcher of its own
    show_popout_button: bool = False
    dark_mode: Literal["auto", "light", "dark"] = "auto"


class PageConfig(BaseModel):
    """`server_time` tells how far the page's clock is off; `token` goes with every beacon until `token_expires`."""

    model_config = ConfigDict(frozen=True)

    widget: WidgetConfig
    server_time: AwareDatetime
    session: str = Field(description="the session that the token is bound to")
    customer: str | None = Field(description="the customer that the shop vouched for")
    token: str
    token_expires: AwareDatetime
