//! What the browser sees of a page: its heading and its form.

use http::StatusCode;
use scraper::{ElementRef, Html, Selector};
use url::Url;

use super::{Cause, unexpected};

/// A page with a form.
#[derive(Debug)]
pub(super) struct Page {
    /// Where it is.
    pub(super) url: Url,
    /// Its first heading.
    pub(super) heading: String,
    /// Its form.
    pub(super) form: Form,
}

/// A form that is posted.
#[derive(Debug)]
pub(super) struct Form {
    /// Where to.
    pub(super) action: Url,
    hidden: Vec<(String, String)>,
    buttons: Vec<Button>,
}

/// A button that submits the form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Button {
    name: String,
    value: String,
}

impl Page {
    /// The page that `html` makes.
    pub(super) fn read(url: Url, status: StatusCode, html: &str) -> Result<Self, Cause> {
        let document = Html::parse_document(html);
        let heading = first(&document, "h1").map(text_of).unwrap_or_default();
        if !status.is_success() {
            return unexpected(format_args!("{} answers {status}: {heading}", url.path()));
        }
        let Some(form) = first(&document, "form[method=post]") else {
            return unexpected(format_args!("there is no form on {}: {heading}", url.path()));
        };
        let action = url.join(form.attr("action").unwrap_or_default())?;
        let hidden = pairs(form, "input[type=hidden]").collect();
        let buttons = pairs(form, "button").map(|(name, value)| Button { name, value }).collect();
        Ok(Self { url, heading, form: Form { action, hidden, buttons } })
    }

    /// The button with this value.
    pub(super) fn button(&self, value: &str) -> Result<&Button, Cause> {
        let found = self.form.buttons.iter().find(|button| button.value == value);
        found.map_or_else(
            || unexpected(format_args!("there is no button {value} on {}", self.url.path())),
            Ok,
        )
    }
}

impl Form {
    /// What the form sends when `button` is pressed.
    pub(super) fn fields_with<'a>(&'a self, button: &'a Button) -> Vec<(&'a str, &'a str)> {
        let hidden = self.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        hidden.chain([(button.name.as_str(), button.value.as_str())]).collect()
    }
}

fn first<'a>(document: &'a Html, selector: &str) -> Option<ElementRef<'a>> {
    let selector = Selector::parse(selector).ok()?;
    document.select(&selector).next()
}

fn pairs(form: ElementRef<'_>, selector: &str) -> impl Iterator<Item = (String, String)> {
    let selector = Selector::parse(selector).ok();
    let elements: Vec<_> = selector.iter().flat_map(|selector| form.select(selector)).collect();
    elements.into_iter().filter_map(|element| {
        let value = element.attr("value").unwrap_or_default().to_owned();
        Some((element.attr("name")?.to_owned(), value))
    })
}

fn text_of(element: ElementRef<'_>) -> String {
    let words: Vec<&str> = element.text().flat_map(str::split_whitespace).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: &str = r#"<h1>Allow <b>A</b>?</h1>
        <form method="post" action="/consent?x=1">
        <input type="hidden" name="request" value="a&amp;b"><input type="hidden" name="empty">
        <button name="decision" value="deny">Deny</button>
        <button name="decision" value="allow">Allow</button></form>"#;

    fn page(status: StatusCode, html: &str) -> Result<Page, Cause> {
        Page::read(Url::parse("http://127.0.0.1:1/a/b").unwrap(), status, html)
    }

    #[test]
    fn a_pressed_button_goes_with_the_hidden_fields() {
        let page = page(StatusCode::OK, HTML).unwrap();

        let fields = page.form.fields_with(page.button("allow").unwrap());

        assert_eq!(page.heading, "Allow A ?");
        assert_eq!(page.form.action.as_str(), "http://127.0.0.1:1/consent?x=1");
        assert_eq!(fields, [("request", "a&b"), ("empty", ""), ("decision", "allow")]);
        assert!(page.button("maybe").is_err());
    }

    #[test]
    fn an_error_page_is_told_with_its_heading() {
        let error = page(StatusCode::FORBIDDEN, HTML).unwrap_err().to_string();

        assert_eq!(error, "/a/b answers 403 Forbidden: Allow A ?");
    }

    #[test]
    fn a_page_without_a_form_is_told() {
        assert!(page(StatusCode::OK, "<h1>Done</h1>").unwrap_err().to_string().contains("no form"));
    }
}
