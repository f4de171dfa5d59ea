//! Reduces a schema to what checks and forms need: prose goes, keys are sorted, so that the same schema always has
//! the same text.

use serde_json::{Map, Value};

/// Deepest nesting that is kept; beyond it anything is right.
const DEPTH: u16 = 256;

/// What a key of a schema holds.
enum Holds {
    Nothing,
    Schema,
    Schemas,
    NamedSchemas,
    Data,
}

fn holds(key: &str) -> Holds {
    match key {
        "description"
        | "title"
        | "example"
        | "examples"
        | "externalDocs"
        | "$schema"
        | "$id"
        | "$comment"
        | "x-kubernetes-group-version-kind"
        | "x-kubernetes-validations" => Holds::Nothing,
        "items" | "additionalProperties" | "not" => Holds::Schema,
        "allOf" | "anyOf" | "oneOf" => Holds::Schemas,
        "properties" | "patternProperties" | "definitions" | "$defs" => Holds::NamedSchemas,
        _ => Holds::Data,
    }
}

/// Returns a schema without prose, sorted.
pub(super) fn without(schema: &Value) -> Value {
    reduce(schema, 0)
}

fn reduce(schema: &Value, depth: u16) -> Value {
    let Value::Object(fields) = schema else {
        return sorted(schema, depth);
    };
    if depth >= DEPTH {
        return Value::Bool(true);
    }
    let mut reduced = Map::new();
    for (key, value) in in_order(fields) {
        let value = match (holds(key), value) {
            (Holds::Nothing, _) => continue,
            // The zero value of a nested struct, which the server's generator adds to every reference.
            (Holds::Data, Value::Object(empty)) if key == "default" && empty.is_empty() => continue,
            (Holds::Schema, value) => reduce(value, depth + 1),
            (Holds::Schemas, Value::Array(schemas)) => schemas
                .iter()
                .map(|schema| reduce(schema, depth + 1))
                .collect(),
            (Holds::NamedSchemas, Value::Object(schemas)) => in_order(schemas)
                .into_iter()
                .map(|(name, schema)| (name.clone(), reduce(schema, depth + 1)))
                .collect(),
            (_, value) => sorted(value, depth + 1),
        };
        reduced.insert(key.clone(), value);
    }
    Value::Object(reduced)
}

/// Returns data with the keys of its objects sorted.
fn sorted(data: &Value, depth: u16) -> Value {
    match data {
        Value::Object(_) | Value::Array(_) if depth >= DEPTH => Value::Null,
        Value::Object(fields) => in_order(fields)
            .into_iter()
            .map(|(key, value)| (key.clone(), sorted(value, depth + 1)))
            .collect(),
        Value::Array(items) => items.iter().map(|item| sorted(item, depth + 1)).collect(),
        scalar => scalar.clone(),
    }
}

fn in_order(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(key, _)| *key);
    fields
}

/// Visits every reference in a schema.
pub(super) fn each_reference(schema: &mut Value, visit: &mut dyn FnMut(&mut String)) {
    let Value::Object(fields) = schema else {
        return;
    };
    for (key, value) in fields {
        match (holds(key), value) {
            (Holds::Schema, schema) => each_reference(schema, visit),
            (Holds::Schemas, Value::Array(schemas)) => {
                for schema in schemas {
                    each_reference(schema, visit);
                }
            }
            (Holds::NamedSchemas, Value::Object(schemas)) => {
                for (_, schema) in schemas {
                    each_reference(schema, visit);
                }
            }
            (Holds::Data, Value::String(reference)) if key == "$ref" => visit(reference),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prose_goes_but_fields_and_data_of_the_same_name_stay() {
        let schema = json!({
            "type": "object",
            "description": "prose",
            "properties": {
                "title": {"type": "string", "description": "prose", "default": {}},
                "description": {"default": {"title": "data", "b": 1, "a": 2}},
                "$ref": {"type": "string"},
            },
            "items": {"allOf": [{"$ref": "#/x", "title": "prose"}]},
            "enum": [{"title": "data"}],
        });
        assert_eq!(
            without(&schema).to_string(),
            r##"{"enum":[{"title":"data"}],"items":{"allOf":[{"$ref":"#/x"}]},"properties":{"$ref":{"type":"string"},"description":{"default":{"a":2,"b":1,"title":"data"}},"title":{"type":"string"}},"type":"object"}"##
        );
    }

    #[test]
    fn only_references_are_visited() {
        let mut schema = json!({
            "properties": {"$ref": {"$ref": "#/a"}},
            "default": {"$ref": "data"},
            "anyOf": [{"items": {"$ref": "#/b"}}, {"not": {"$ref": "#/c"}}],
        });
        let mut seen = Vec::new();
        each_reference(&mut schema, &mut |reference| seen.push(reference.clone()));
        seen.sort();
        assert_eq!(seen, ["#/a", "#/b", "#/c"]);
    }
}
