//! Policies of API Management as trees.

use roxmltree::{Document, Node};

/// The elements of `document` with the name `name`.
pub(crate) fn elements<'a>(
    document: &'a Document<'_>,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'a>> {
    document.root().descendants().filter(move |node| node.has_tag_name(name))
}

/// What `name` holds, a text for each element with that name below `above`.
pub(crate) fn texts(document: &Document<'_>, above: &str, name: &str) -> Vec<String> {
    let above: Vec<_> = elements(document, above).collect();
    let below = above.iter().flat_map(Node::descendants);
    let named = below.filter(|node| node.has_tag_name(name));
    named.filter_map(|node| node.text()).map(str::to_owned).collect()
}
