//! What a Bicep file declares and uses, read from its syntax tree.

use std::collections::BTreeSet;

use tree_sitter::{Node, Parser};

use crate::repository::Repository;

/// A Bicep file.
#[derive(Debug, Default)]
pub(crate) struct Bicep {
    pub(crate) path: String,
    /// The lines that are not Bicep.
    pub(crate) faults: Vec<usize>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) variables: Vec<(String, Value)>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) modules: Vec<Module>,
    pub(crate) outputs: Vec<Output>,
    /// The names of what loops go through.
    pub(crate) loop_names: BTreeSet<String>,
    /// Every name that an expression uses.
    pub(crate) used: BTreeSet<String>,
    /// Module and output, for each `module.outputs.output`.
    pub(crate) module_outputs: BTreeSet<(String, String)>,
    /// The files that `loadTextContent` and `loadJsonContent` read.
    pub(crate) loads: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) default: Option<Value>,
    pub(crate) decorators: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) name: String,
    /// Type and API version, `Microsoft.Web/sites@2025-03-01`.
    pub(crate) kind: String,
    pub(crate) decorators: BTreeSet<String>,
    /// What a loop goes through.
    pub(crate) over: Option<Value>,
    pub(crate) body: Value,
}

#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) body: Value,
}

#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) value: Value,
    pub(crate) decorators: BTreeSet<String>,
}

/// A value, as far as it is written down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Value {
    /// A text; what it takes from elsewhere stands in it as `${…}`.
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
    /// Any other expression, as it is written.
    Expression(String),
}

impl Value {
    /// What lies at `path`, a property each.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        let Self::Object(properties) = self else {
            return None;
        };
        let found = properties.iter().find(|(name, _)| name == first);
        found.and_then(|(_, value)| value.at(rest))
    }

    /// The names of the properties of an object.
    pub(crate) fn keys(&self) -> BTreeSet<&str> {
        let Self::Object(properties) = self else {
            return BTreeSet::new();
        };
        properties.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// As it is written, a text without its quotes.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Text(text) | Self::Expression(text) => text.clone(),
            Self::List(values) => values.iter().map(Self::written).collect::<Vec<_>>().join(", "),
            Self::Object(properties) => {
                let written =
                    properties.iter().map(|(name, value)| format!("{name}: {}", value.written()));
                written.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

impl Bicep {
    /// Every Bicep file of the repository.
    pub(crate) fn all(repository: &Repository) -> Vec<Self> {
        repository.ending_with(".bicep").map(|(path, text)| Self::parse(path, text)).collect()
    }

    /// The file at `path`.
    pub(crate) fn read(repository: &Repository, path: &str) -> Self {
        Self::parse(path, repository.text(path))
    }

    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let text = without_extensions(text);
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_bicep::LANGUAGE.into()).unwrap();
        let tree = parser.parse(&text, None).unwrap();
        let mut bicep = Self { path: path.to_owned(), ..Self::default() };
        bicep.statements(tree.root_node(), &text);
        bicep
    }

    /// The variable `name`.
    pub(crate) fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.iter().find(|(variable, _)| variable == name).map(|(_, value)| value)
    }

    /// The resource `name`.
    pub(crate) fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.name == name)
    }

    fn statements(&mut self, root: Node<'_>, text: &str) {
        let mut decorators = BTreeSet::new();
        for node in children(root) {
            self.note_faults(node);
            if node.kind() == "decorators" {
                decorators = decorators_in(node, text);
            } else {
                self.declaration(node, text, std::mem::take(&mut decorators));
            }
        }
    }

    fn note_faults(&mut self, node: Node<'_>) {
        if node.is_error() || node.is_missing() {
            self.faults.push(node.start_position().row + 1);
        } else if node.has_error() {
            let mut cursor = node.walk();
            for child in node.children(&mut cursor) {
                self.note_faults(child);
            }
        }
    }

    fn declaration(&mut self, node: Node<'_>, text: &str, decorators: BTreeSet<String>) {
        let parts = children(node);
        let Some(name) = parts.first().map(|part| written(*part, text)) else {
            return;
        };
        let last = parts.last().copied().unwrap_or(node);
        match node.kind() {
            "parameter_declaration" => {
                let default = parts.get(2).map(|part| value(*part, text));
                self.parameters.push(Parameter { name, default, decorators });
            }
            "variable_declaration" => self.variables.push((name, value(last, text))),
            "output_declaration" => {
                let value = value(last, text);
                self.outputs.push(Output { name, value, decorators });
            }
            "module_declaration" => {
                let file = value(parts[1], text).written();
                self.modules.push(Module { name, file, body: value(last, text) });
            }
            "resource_declaration" => {
                let kind = value(parts[1], text).written();
                let over = looped_over(last).map(|node| value(node, text));
                let body = value(last, text);
                self.resources.push(Resource { name, kind, decorators, over, body });
            }
            _ => return,
        }
        for part in parts.iter().skip(1) {
            self.uses(*part, text);
        }
    }

    /// Notes every name that the expression `node` uses.
    fn uses(&mut self, node: Node<'_>, text: &str) {
        let parts = children(node);
        match node.kind() {
            "identifier" => {
                self.used.insert(written(node, text));
                return;
            }
            "type" => return,
            "resource_declaration" => {
                self.declaration(node, text, BTreeSet::new());
                return;
            }
            "object_property" if parts.len() == 2 => {
                // The name of a property is no use, but what a text takes in is.
                if parts[0].kind() == "string" {
                    self.uses(parts[0], text);
                }
                self.uses(parts[1], text);
                return;
            }
            "call_expression" => self.note_load(node, text),
            "for_statement" => {
                if let Some(name) = node.child_by_field_name("initializer") {
                    self.loop_names.insert(written(name, text));
                }
            }
            "loop_variable" | "loop_enumerator" => {
                self.loop_names.insert(written(node, text));
            }
            "member_expression" => self.note_module_output(node, text),
            _ => {}
        }
        let named = [node.child_by_field_name("function"), node.child_by_field_name("initializer")];
        for part in parts {
            let is_name = part.kind() == "identifier" && named.contains(&Some(part));
            if !is_name {
                self.uses(part, text);
            }
        }
    }

    fn note_load(&mut self, node: Node<'_>, text: &str) {
        let function = node.child_by_field_name("function").map(|name| written(name, text));
        let arguments = node.child_by_field_name("arguments");
        if function.is_some_and(|name| name.starts_with("load")) {
            let first = arguments.and_then(|arguments| children(arguments).first().copied());
            self.loads.extend(first.map(|file| value(file, text).written()));
        }
    }

    fn note_module_output(&mut self, node: Node<'_>, text: &str) {
        let written = written(node, text).replace('!', "");
        let parts: Vec<&str> = written.split('.').collect();
        if let [module, "outputs", output] = parts.as_slice() {
            self.module_outputs.insert(((*module).to_owned(), (*output).to_owned()));
        }
    }
}

/// The grammar does not know `extension NAME`, which has nothing to check: blanks take its place.
fn without_extensions(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("extension ") {
        Some(name) if name.trim().bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            " ".repeat(line.len())
        }
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.kind().contains("comment")).collect()
}

fn written(node: Node<'_>, text: &str) -> String {
    text[node.byte_range()].to_owned()
}

fn decorators_in(node: Node<'_>, text: &str) -> BTreeSet<String> {
    let calls = children(node).into_iter().flat_map(children);
    let names = calls.filter_map(|call| call.child_by_field_name("function"));
    names.map(|name| written(name, text)).collect()
}

fn looped_over(node: Node<'_>) -> Option<Node<'_>> {
    let is_loop = node.kind() == "for_statement";
    let parts = children(node);
    // Name or names, what the loop goes through, body.
    parts.get(1).copied().filter(|_| is_loop)
}

fn value(node: Node<'_>, text: &str) -> Value {
    match node.kind() {
        "string" => Value::Text(written(node, text).trim_matches('\'').to_owned()),
        "array" => {
            Value::List(children(node).into_iter().map(|child| value(child, text)).collect())
        }
        "object" => Value::Object(
            children(node).into_iter().filter_map(|child| property(child, text)).collect(),
        ),
        // What stands under a condition or in a loop.
        "if_statement" | "for_statement" => {
            children(node).last().map_or(Value::List(Vec::new()), |body| value(*body, text))
        }
        _ => Value::Expression(written(node, text)),
    }
}

fn property(node: Node<'_>, text: &str) -> Option<(String, Value)> {
    match children(node).as_slice() {
        [name, of] => Some((written(*name, text).trim_matches('\'').to_owned(), value(*of, text))),
        _ => None,
    }
}

#[test]
fn a_broken_line_is_named() {
    let good = "param a string\noutput b string = a\n";

    assert_eq!(Bicep::parse("good", good).faults, [0; 0]);
    assert_eq!(Bicep::parse("broken", &good.replace("= a", "= = a")).faults, [2]);
    assert_eq!(Bicep::parse("broken", &format!("extension one two\n{good}")).faults, [1]);
}

#[test]
fn what_a_file_uses_is_found_wherever_it_stands() {
    let file = "resource a 'T/a@1' = if (b) {\n  name: '${c}-x'\n  '${d}': e[f]\n  g: [for h in i: { j: h.k }]\n}\n\
                module l 'm.bicep' = [for (n, o) in p: {\n  params: { q: r!.outputs.s, t: u(v ? w : x) }\n}]\n";

    let bicep = Bicep::parse("file", file);

    assert!(bicep.faults.is_empty(), "{:?}", bicep.faults);
    let used: Vec<&str> = bicep.used.iter().map(String::as_str).collect();
    assert_eq!(used, ["b", "c", "d", "e", "f", "h", "i", "p", "r", "v", "w", "x"]);
    assert_eq!(bicep.loop_names, ["h", "n", "o"].map(str::to_owned).into());
    assert_eq!(bicep.module_outputs, [("r".to_owned(), "s".to_owned())].into());
}
