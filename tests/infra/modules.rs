//! That every Bicep file parses, declares what it uses and uses what it declares, and that modules get
//! what they ask for.

use std::collections::{BTreeMap, BTreeSet};

use crate::bicep::{Bicep, Value};
use crate::repository::Repository;

const MAIN: &str = "infra/main.bicep";
const PARAMETERS: &str = "infra/main.parameters.json";

pub(crate) fn complaints(repository: &Repository) -> Vec<String> {
    let files: BTreeMap<String, Bicep> =
        Bicep::all(repository).into_iter().map(|file| (file.path.clone(), file)).collect();
    let mut complaints = parameters_file(repository, &files[MAIN]);
    complaints.extend(unexplained(repository));
    for file in files.values() {
        let by_itself = syntax(file).into_iter().chain(names(file)).chain(descriptions(file));
        complaints.extend(by_itself.chain(outputs(file)).chain(loads(repository, file)));
        complaints.extend(calls(file, &files));
    }
    complaints.extend(idle(&files));
    complaints
}

fn syntax(file: &Bicep) -> Vec<String> {
    file.faults.iter().map(|line| format!("{}:{line}: this is not Bicep", file.path)).collect()
}

fn names(file: &Bicep) -> Vec<String> {
    let parameters = file.parameters.iter().map(|parameter| &parameter.name);
    let variables = file.variables.iter().map(|(name, _)| name);
    let own: BTreeSet<&String> = parameters.chain(variables).collect();
    let resources = file.resources.iter().map(|resource| &resource.name);
    let modules = file.modules.iter().map(|module| &module.name);
    let mut declared: BTreeSet<&String> = own.clone();
    declared.extend(resources.chain(modules).chain(&file.loop_names));
    let undeclared = file.used.iter().filter(|name| !declared.contains(name));
    let undeclared = undeclared.map(|name| format!("{}: {name} is not declared", file.path));
    let unused = own.into_iter().filter(|name| !file.used.contains(*name));
    let unused = unused.map(|name| format!("{}: {name} is not used", file.path));
    undeclared.chain(unused).collect()
}

fn descriptions(file: &Bicep) -> Vec<String> {
    let parameters = file.parameters.iter().map(|of| (&of.name, &of.decorators));
    let outputs = file.outputs.iter().map(|of| (&of.name, &of.decorators));
    let bare =
        parameters.chain(outputs).filter(|(_, decorators)| !decorators.contains("description"));
    bare.map(|(name, _)| format!("{}: {name} has no @description", file.path)).collect()
}

/// Outputs are kept in the history of deployments, for all to read.
fn outputs(file: &Bicep) -> Vec<String> {
    let secure = file.parameters.iter().filter(|of| of.decorators.contains("secure"));
    let mut secrets: Vec<&str> = secure.map(|of| of.name.as_str()).collect();
    secrets.extend(["listKeys", "listAccountSas"]);
    let tells = |output: &&crate::bicep::Output| {
        let written = output.value.written();
        secrets.iter().any(|secret| written.contains(secret))
    };
    let outputs = file.outputs.iter().filter(tells);
    outputs.map(|output| format!("{}: output {} tells a secret", file.path, output.name)).collect()
}

fn loads(repository: &Repository, file: &Bicep) -> Vec<String> {
    let missing = file.loads.iter().filter(|of| repository.find(&beside(file, of)).is_none());
    missing.map(|of| format!("{}: {of} is not there", file.path)).collect()
}

/// The path of `name` as `file` means it.
fn beside(file: &Bicep, name: &str) -> String {
    let mut folders: Vec<&str> = file.path.split('/').collect();
    folders.pop();
    for part in name.split('/') {
        if part == ".." {
            folders.pop();
        } else {
            folders.push(part);
        }
    }
    folders.join("/")
}

fn calls(file: &Bicep, files: &BTreeMap<String, Bicep>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut say = |text: String| complaints.push(format!("{}: {text}", file.path));
    for module in &file.modules {
        let Some(called) = files.get(&beside(file, &module.file)) else {
            say(format!("module {} is not there", module.file));
            continue;
        };
        let given = module.body.at(&["params"]).map(Value::keys).unwrap_or_default();
        for name in &given {
            if !called.parameters.iter().any(|parameter| parameter.name == *name) {
                say(format!("{} does not declare the parameter {name}", module.file));
            }
        }
        for parameter in &called.parameters {
            if parameter.default.is_none() && !given.contains(parameter.name.as_str()) {
                say(format!("{} needs the parameter {}", module.file, parameter.name));
            }
        }
        for (_, output) in file.module_outputs.iter().filter(|(name, _)| *name == module.name) {
            if !called.outputs.iter().any(|of| of.name == *output) {
                say(format!("{} has no output {output}", module.file));
            }
        }
    }
    complaints
}

/// Modules that nothing calls.
fn idle(files: &BTreeMap<String, Bicep>) -> Vec<String> {
    let calls = files.values().flat_map(|file| {
        file.modules.iter().map(|module| beside(file, &module.file)).collect::<Vec<_>>()
    });
    let called: BTreeSet<String> = calls.chain([MAIN.to_owned()]).collect();
    let idle = files.keys().filter(|path| !called.contains(*path));
    idle.map(|path| format!("{path}: nothing calls it")).collect()
}

/// azd fills the parameters in from its environment, with the defaults of Bicep.
fn parameters_file(repository: &Repository, main: &Bicep) -> Vec<String> {
    let json = repository.json(PARAMETERS);
    let given = json["parameters"].as_object().unwrap();
    let mut complaints = Vec::new();
    for (name, value) in given {
        let Some(parameter) = main.parameters.iter().find(|of| of.name == *name) else {
            complaints.push(format!("{PARAMETERS}: main.bicep does not declare {name}"));
            continue;
        };
        let default = parameter.default.as_ref().map(Value::written);
        let here = value["value"].as_str().map(|text| text.trim_matches(['$', '{', '}']));
        let default_here =
            here.and_then(|text| text.split_once('=')).map(|(_, default)| default.to_owned());
        // Without one here, a variable that is set to nothing would take the place of Bicep's.
        if here.is_some() && default_here != default {
            complaints.push(format!("{PARAMETERS}: main.bicep has another default for {name}"));
        }
    }
    for parameter in &main.parameters {
        if parameter.default.is_none() && !given.contains_key(&parameter.name) {
            complaints.push(format!("{PARAMETERS}: {} is missing", parameter.name));
        }
    }
    complaints
}

/// Variables of azd that docs/deploy.md does not tell of.
fn unexplained(repository: &Repository) -> Vec<String> {
    let document = repository.text("docs/deploy.md");
    // azd asks for these, and tells them itself.
    let chosen = variables(repository).into_iter().filter(|name| !name.starts_with("AZURE_"));
    let bare = chosen.filter(|name| !document.contains(&format!("`{name}`")));
    bare.map(|name| format!("docs/deploy.md: {name} is not explained")).collect()
}

/// The variables that the parameters are filled in from, but for those that the hook makes.
pub(crate) fn variables(repository: &Repository) -> BTreeSet<String> {
    let json = repository.json(PARAMETERS);
    let values = json["parameters"].as_object().unwrap().values();
    let texts = values.filter_map(|value| value["value"].as_str());
    let names = texts.filter_map(|text| text.strip_prefix("${")?.split(['=', '}']).next());
    names.filter(|name| !name.starts_with("NEW_")).map(str::to_owned).collect()
}
