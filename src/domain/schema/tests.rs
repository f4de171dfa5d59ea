//! Tables of cases: a schema, a value, and every violation as a user would read it.

use serde_json::{Value, json};

use super::*;

/// Checks a bare value.
#[track_caller]
fn check(schema: &Value, value: &Value, expected: &[&str]) {
    let mut found = Vec::new();
    let options = Options {
        bare: true,
        ..Options::default()
    };
    Schema::from_json(schema).check_with(value, options, &mut |violation| {
        found.push(violation.to_string());
    });
    assert_eq!(found, expected, "schema {schema}\nvalue {value}");
}

/// Checks a bare value by the rules of custom resources.
#[track_caller]
fn check_custom(schema: &Value, value: &Value, expected: &[&str]) {
    let library = Arc::new(Library::build(standalone("x", schema, true)));
    let options = Options {
        bare: true,
        ..Options::default()
    };
    let mut found = Vec::new();
    Schema::of(&library, Some("x")).check_with(value, options, &mut |violation| {
        found.push(violation.to_string());
    });
    assert_eq!(found, expected, "schema {schema}\nvalue {value}");
}

#[test]
fn types_are_told_apart() {
    let cases: &[(Value, Value, &[&str])] = &[
        (json!({"type": "string"}), json!("a"), &[]),
        (
            json!({"type": "string"}),
            json!(1),
            &["expected string, found integer 1"],
        ),
        (
            json!({"type": "string"}),
            json!(true),
            &["expected string, found boolean true"],
        ),
        (
            json!({"type": "string"}),
            Value::Null,
            &["expected string, found null"],
        ),
        (json!({"type": "integer"}), json!(1), &[]),
        (json!({"type": "integer"}), json!(3.0), &[]),
        (
            json!({"type": "integer"}),
            json!(1.5),
            &["expected integer, found number 1.5"],
        ),
        (
            json!({"type": "integer"}),
            json!("two"),
            &[r#"expected integer, found string "two""#],
        ),
        (json!({"type": "number"}), json!(1), &[]),
        (json!({"type": "number"}), json!(1.5), &[]),
        (
            json!({"type": "number"}),
            json!("1"),
            &[r#"expected number, found string "1""#],
        ),
        (json!({"type": "boolean"}), json!(false), &[]),
        (
            json!({"type": "boolean"}),
            json!("false"),
            &[r#"expected boolean, found string "false""#],
        ),
        (json!({"type": "array"}), json!([1, "a"]), &[]),
        (
            json!({"type": "array"}),
            json!({}),
            &["expected array, found object"],
        ),
        (json!({"type": "object"}), json!({"a": 1}), &[]),
        (
            json!({"type": "object"}),
            json!([]),
            &["expected object, found array"],
        ),
        (json!({"type": ["string", "null"]}), Value::Null, &[]),
        (
            json!({"type": ["string", "integer"]}),
            json!(true),
            &["expected string or integer, found boolean true"],
        ),
        (
            json!({"type": "string", "nullable": true}),
            Value::Null,
            &[],
        ),
        (json!({}), json!({"anything": [1, null]}), &[]),
        (json!(true), json!(1), &[]),
        (
            json!(false),
            json!(1),
            &["has a form that is not allowed here"],
        ),
        (json!({"type": "nonsense"}), json!(1), &[]),
    ];
    for (schema, value, expected) in cases {
        check(schema, value, expected);
    }
}

#[test]
fn integers_or_strings_are_recognised_in_every_spelling() {
    let spellings = [
        json!({"x-kubernetes-int-or-string": true}),
        json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
        json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
        json!({"format": "int-or-string", "type": "string"}),
        json!({"oneOf": [{"type": ["string", "null"]}, {"type": ["integer", "null"]}]}),
    ];
    for schema in spellings {
        check(&schema, &json!(80), &[]);
        check(&schema, &json!("http"), &[]);
        check(
            &schema,
            &json!(true),
            &["expected string or integer, found boolean true"],
        );
    }
}

#[test]
fn quantities_are_strings_or_numbers_with_a_unit() {
    let schema = json!({
        "properties": {"cpu": {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity"}},
        "components": {"schemas": {
            "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
        }},
    });
    for right in [
        json!("100m"),
        json!(1),
        json!(0.5),
        json!("2Gi"),
        json!("1e3"),
    ] {
        check(&schema, &json!({"cpu": right}), &[]);
    }
    check(
        &schema,
        &json!({"cpu": "128mib"}),
        &[r#"cpu: string "128mib" is not a quantity such as 500m or 2Gi"#],
    );
    check(
        &schema,
        &json!({"cpu": true}),
        &["cpu: expected string or number, found boolean true"],
    );
}

#[test]
fn fields_must_be_known() {
    let schema = json!({
        "type": "object",
        "properties": {
            "replicas": {"type": "integer"},
            "template": {"type": "object", "properties": {"containers": {"type": "array", "items": {
                "type": "object", "properties": {"imagePullPolicy": {"type": "string"}},
            }}}},
        },
    });
    let cases: &[(Value, &[&str])] = &[
        (json!({"replicas": 1}), &[]),
        (
            json!({"replica": 1}),
            &[r#"replica: unknown field "replica", did you mean "replicas"?"#],
        ),
        (
            json!({"Replicas": 1}),
            &[r#"Replicas: unknown field "Replicas", did you mean "replicas"?"#],
        ),
        (json!({"color": 1}), &[r#"color: unknown field "color""#]),
        (json!({"color": null}), &[r#"color: unknown field "color""#]),
        (
            json!({"template": {"containers": [{}, {"imagePulPolicy": "Always"}]}}),
            &[
                r#"template.containers[1].imagePulPolicy: unknown field "imagePulPolicy", did you mean "imagePullPolicy"?"#,
            ],
        ),
        (
            json!({"a.b/c": 1}),
            &[r#"["a.b/c"]: unknown field "a.b/c""#],
        ),
    ];
    for (value, expected) in cases {
        check(&schema, value, expected);
    }
}

#[test]
fn unknown_fields_are_allowed_where_the_schema_says_so() {
    let free = [
        json!({"type": "object"}),
        json!({"type": "object", "properties": {"a": {}}, "additionalProperties": true}),
        json!({"type": "object", "properties": {"a": {}}, "x-kubernetes-preserve-unknown-fields": true}),
        json!({"x-kubernetes-preserve-unknown-fields": true}),
        json!({"type": "object", "additionalProperties": {"type": "integer"}}),
    ];
    for schema in free {
        check(&schema, &json!({"b": 1}), &[]);
    }
    check(
        &json!({"type": "object", "additionalProperties": {"type": "string"}}),
        &json!({"a": "x", "b": 1, "c": null}),
        &["b: expected string, found integer 1"],
    );
    check(
        &json!({"type": "object", "additionalProperties": false}),
        &json!({"b": 1}),
        &[r#"b: unknown field "b""#],
    );
    // What is kept unknown is still checked where it's described.
    check(
        &json!({
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true,
            "properties": {"a": {"type": "object", "properties": {"b": {"type": "integer"}}}},
        }),
        &json!({"x": {"y": 1}, "a": {"b": "1", "c": 2}}),
        &[
            r#"a.b: expected integer, found string "1""#,
            r#"a.c: unknown field "c""#,
        ],
    );
}

#[test]
fn a_custom_object_without_declared_fields_has_none() {
    check_custom(
        &json!({"type": "object"}),
        &json!({"a": 1}),
        &[r#"a: unknown field "a""#],
    );
    check_custom(&json!({"type": "object"}), &json!({}), &[]);
    check_custom(
        &json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        &json!({"a": 1}),
        &[],
    );
    // Alternatives check values; they declare nothing, and nothing is unknown to them.
    check_custom(
        &json!({
            "type": "object",
            "properties": {"a": {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}},
            "anyOf": [
                {"properties": {"a": {"required": ["x"]}}},
                {"properties": {"a": {"type": "object", "required": ["y"]}}},
            ],
        }),
        &json!({"a": {"x": 1, "z": 2}}),
        &[r#"a.z: unknown field "z""#],
    );
}

#[test]
fn null_counts_as_absent() {
    let schema = json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string"},
            "size": {"type": "integer"},
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
            "list": {"type": "array", "items": {"type": "string"}},
        },
    });
    check(
        &schema,
        &json!({"name": "a", "size": null, "map": {"k": null}}),
        &[],
    );
    check(
        &schema,
        &json!({"name": null}),
        &[r#"missing field "name""#],
    );
    check(
        &schema,
        &json!({"name": "a", "list": ["b", null]}),
        &["list[1]: expected string, found null"],
    );
    let nullable = json!({
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "nullable": true}},
    });
    check(&nullable, &json!({"name": null}), &[]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn values_stay_inside_their_bounds() {
    let cases: &[(Value, Value, &[&str])] = &[
        (json!({"enum": ["Always", "Never"]}), json!("Always"), &[]),
        (
            json!({"enum": ["Always", "Never", "IfNotPresent"]}),
            json!("always"),
            &[r#"string "always" is not allowed, only "Always", "Never" or "IfNotPresent""#],
        ),
        (
            json!({"const": 3}),
            json!(4),
            &["integer 4 is not allowed, only 3"],
        ),
        (json!({"pattern": "^[a-z]+$"}), json!("abc"), &[]),
        (
            json!({"pattern": "^[a-z]+$"}),
            json!("A"),
            &[r#"string "A" does not match the pattern ^[a-z]+$"#],
        ),
        (
            json!({"pattern": r"^\d{2}$"}),
            json!("٣٣"),
            &[r#"string "٣٣" does not match the pattern ^\d{2}$"#],
        ),
        (json!({"minimum": 1}), json!(1), &[]),
        (
            json!({"minimum": 1}),
            json!(0),
            &["must be at least 1, found integer 0"],
        ),
        (
            json!({"minimum": 1, "exclusiveMinimum": true}),
            json!(1),
            &["must be more than 1, found integer 1"],
        ),
        (
            json!({"exclusiveMinimum": 1}),
            json!(1),
            &["must be more than 1, found integer 1"],
        ),
        (
            json!({"maximum": 1.5}),
            json!(1.6),
            &["must be at most 1.5, found number 1.6"],
        ),
        (
            json!({"maximum": 2, "exclusiveMaximum": true}),
            json!(2),
            &["must be less than 2, found integer 2"],
        ),
        (json!({"exclusiveMaximum": 2}), json!(1), &[]),
        (json!({"multipleOf": 5}), json!(15), &[]),
        (
            json!({"multipleOf": 5}),
            json!(16),
            &["must be a multiple of 5, found integer 16"],
        ),
        (json!({"multipleOf": 0.1}), json!(0.3), &[]),
        (json!({"multipleOf": 0}), json!(0.3), &[]),
        (
            json!({"minLength": 2}),
            json!("é"),
            &["must have at least 2 characters, found 1"],
        ),
        (json!({"minLength": 2}), json!("éé"), &[]),
        (json!({"maxLength": 2}), json!("éé"), &[]),
        (
            json!({"maxLength": 2}),
            json!("ééé"),
            &["must have at most 2 characters, found 3"],
        ),
        (
            json!({"minItems": 1}),
            json!([]),
            &["must have at least 1 item, found 0"],
        ),
        (
            json!({"maxItems": 1}),
            json!([1, 2]),
            &["must have at most 1 item, found 2"],
        ),
        (
            json!({"minProperties": 1}),
            json!({}),
            &["must have at least 1 field, found 0"],
        ),
        (
            json!({"maxProperties": 1}),
            json!({"a": 1, "b": 2}),
            &["must have at most 1 field, found 2"],
        ),
        (
            json!({"type": "integer", "format": "int32"}),
            json!(2_147_483_647),
            &[],
        ),
        (
            json!({"type": "integer", "format": "int32"}),
            json!(2_147_483_648_i64),
            &["must be at most 2147483647, found integer 2147483648"],
        ),
        (
            json!({"type": "integer", "format": "int32"}),
            json!(-2_147_483_649_i64),
            &["must be at least -2147483648, found integer -2147483649"],
        ),
        (
            json!({"format": "int-or-string", "type": "string"}),
            json!(99_999_999_999_i64),
            &["must be at most 2147483647, found integer 99999999999"],
        ),
        (
            json!({"type": "integer", "format": "int64"}),
            json!(u64::MAX),
            &["must be at most 9223372036854775807, found integer 18446744073709551615"],
        ),
        (
            json!({"type": "integer", "format": "int64"}),
            json!(1e300),
            &["must be at most 9223372036854775807, found number 1e+300"],
        ),
        (
            json!({"type": "string", "format": "byte"}),
            json!("!"),
            &[r#"string "!" is not valid base64"#],
        ),
        (
            json!({"type": "string", "format": "unheard-of"}),
            json!("!"),
            &[],
        ),
        // Rules for one type say nothing about another.
        (
            json!({"minLength": 2, "minimum": 3, "minItems": 1, "required": ["a"]}),
            json!(true),
            &[],
        ),
        (json!({"maxLength": 2, "pattern": "x"}), json!(12_345), &[]),
    ];
    for (schema, value, expected) in cases {
        check(schema, value, expected);
    }
}

#[test]
fn an_unset_string_of_a_built_in_kind_may_be_empty() {
    let schema = json!({"type": "string", "enum": ["TCP", "UDP"]});
    check(&schema, &json!(""), &[]);
    check_custom(
        &schema,
        &json!(""),
        &[r#"string "" is not allowed, only "TCP" or "UDP""#],
    );
}

#[test]
fn a_pattern_that_cannot_be_compiled_is_noted() {
    let schema = Schema::from_json(
        &json!({"properties": {"a": {"pattern": "(?=x)"}, "b": {"pattern": "^(a{1000}){1000}$"}}}),
    );
    let found = schema.violations(&json!({"a": "y", "b": "y"}));
    assert!(found.is_empty(), "{found:?}");
    let notes = schema.notes();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].starts_with(r#"the pattern "(?=x)" is not checked: look-around"#),
        "{notes:?}"
    );
}

#[test]
fn repeated_entries_are_found() {
    let set = json!({"type": "array", "x-kubernetes-list-type": "set"});
    check(&set, &json!(["a", "b"]), &[]);
    check(
        &set,
        &json!(["a", "b", "a"]),
        &[r#"[2]: duplicate entry "a", first at index 0"#],
    );
    check(
        &json!({"uniqueItems": true}),
        &json!([{"a": 1, "b": 2}, {"b": 2, "a": 1}]),
        &["[1]: duplicate entry, first at index 0"],
    );
    let map = json!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["port", "protocol"],
        "items": {"type": "object", "properties": {
            "port": {"type": "integer"},
            "protocol": {"type": "string", "default": "TCP"},
            "name": {"type": "string"},
        }},
    });
    let cases: &[(Value, &[&str])] = &[
        (
            json!([{"port": 1}, {"port": 2}, {"port": 1, "protocol": "UDP"}]),
            &[],
        ),
        (
            json!([{"port": 1, "name": "a"}, {"port": 1, "protocol": "TCP", "name": "b"}]),
            &[r#"[1]: duplicate entry with port, protocol 1, "TCP", first at index 0"#],
        ),
        (
            json!([{"port": 1}, {"port": 2}, {"port": 1}, {"port": 1}]),
            &[
                "[2]: duplicate entry with port, protocol 1, first at index 0",
                "[3]: duplicate entry with port, protocol 1, first at index 0",
            ],
        ),
        (
            json!(["x", "x"]),
            &[
                r#"[0]: expected object, found string "x""#,
                r#"[1]: expected object, found string "x""#,
            ],
        ),
    ];
    for (value, expected) in cases {
        check(&map, value, expected);
    }
    let mut long: Vec<Value> = (0..1000).map(|port| json!({"port": port})).collect();
    check(&map, &json!(long), &[]);
    long.push(json!({"port": 500}));
    check(
        &map,
        &json!(long),
        &["[1000]: duplicate entry with port, protocol 500, first at index 500"],
    );
}

#[test]
fn alternatives_are_weighed() {
    let either = json!({
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    });
    check(&either, &json!({"a": 1}), &[]);
    check(
        &either,
        &json!({}),
        &[r#"matches none of the 2 forms allowed here (with "a"; with "b")"#],
    );
    check(
        &either,
        &json!({"a": 1, "b": 2}),
        &[r#"matches 2 of 2 forms where exactly one is allowed (with "a"; with "b")"#],
    );
    let any =
        json!({"anyOf": [{"type": "string", "pattern": "^a"}, {"type": "integer", "minimum": 5}]});
    check(&any, &json!("ab"), &[]);
    check(&any, &json!(5), &[]);
    // Only one form is for numbers, so that one explains itself.
    check(&any, &json!(4), &["must be at least 5, found integer 4"]);
    check(
        &any,
        &json!(true),
        &["matches none of the 2 forms allowed here"],
    );
    let all = json!({"allOf": [{"minimum": 3}, {"maximum": 5}]});
    check(&all, &json!(4), &[]);
    check(&all, &json!(6), &["must be at most 5, found integer 6"]);
    let not = json!({"not": {"enum": ["x"]}});
    check(&not, &json!("y"), &[]);
    check(&not, &json!("x"), &["has a form that is not allowed here"]);
}

#[test]
fn references_are_followed_and_may_be_cyclic() {
    let schema = json!({
        "$ref": "#/definitions/tree",
        "definitions": {
            "tree": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "left": {"allOf": [{"$ref": "#/definitions/tree"}], "default": {}},
                    "right": {"$ref": "#/definitions/tree"},
                },
            },
        },
    });
    check(&schema, &json!({"left": {"right": {"name": "a"}}}), &[]);
    check(
        &schema,
        &json!({"left": {"right": {"nam": "a", "name": 1}}}),
        &[
            r#"left.right.nam: unknown field "nam", did you mean "name"?"#,
            "left.right.name: expected string, found integer 1",
        ],
    );
    let lost = Schema::from_json(&json!({"properties": {"a": {"$ref": "#/definitions/gone"}}}));
    assert_eq!(lost.violations(&json!({"a": 1})), []);
    assert_eq!(lost.notes().len(), 1);
}

#[test]
fn parts_of_a_schema_share_what_they_know() {
    let schema = json!({
        "allOf": [{"$ref": "#/definitions/a"}, {"$ref": "#/definitions/b"}],
        "definitions": {
            "a": {"type": "object", "properties": {"a": {"type": "integer"}}},
            "b": {"type": "object", "properties": {"b": {"type": "integer"}}},
        },
    });
    check(&schema, &json!({"a": 1, "b": 2}), &[]);
    check(
        &schema,
        &json!({"a": "x", "c": 2}),
        &[
            r#"a: expected integer, found string "x""#,
            r#"c: unknown field "c""#,
        ],
    );
    let beside = json!({
        "$ref": "#/definitions/a",
        "properties": {"more": {"type": "integer"}},
        "definitions": {"a": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    });
    check(&beside, &json!({"a": 1, "more": 2}), &[]);
    check(
        &beside,
        &json!({"a": 1, "mor": 2}),
        &[r#"mor: unknown field "mor", did you mean "more"?"#],
    );
}

#[test]
fn hostile_schemas_end_soon() {
    let loops =
        json!({"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/a"}}});
    let explodes = json!({
        "$ref": "#/definitions/a",
        "definitions": {"a": {"anyOf": vec![json!({"allOf": [{"$ref": "#/definitions/a"}, {"minimum": 1}]}); 10]}},
    });
    for schema in [loops, explodes] {
        let started = std::time::Instant::now();
        check(
            &schema,
            &json!(1),
            &["takes too long to check against its schema"],
        );
        let object: Value = (0..100)
            .map(|n| (format!("k{n}"), json!(n)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        check(
            &schema,
            &object,
            &["takes too long to check against its schema"],
        );
        assert!(started.elapsed().as_secs() < 20);
    }
}

#[test]
fn every_object_has_an_envelope() {
    let schema =
        Schema::from_json(&json!({"type": "object", "properties": {"data": {"type": "object"}}}));
    let cases: &[(Value, &[&str])] = &[
        (
            json!({"apiVersion": "v1", "kind": "X", "metadata": {
                "name": "a", "creationTimestamp": null, "labels": {"a.b/c": "d"}, "annotations": null,
            }}),
            &[],
        ),
        (
            json!({"apiVersion": 1, "kind": "X", "metadata": {"nam": "a", "labels": {"x": 1}}, "dat": {}}),
            &[
                "apiVersion: expected string, found integer 1",
                r#"metadata.nam: unknown field "nam", did you mean "name"?"#,
                "metadata.labels.x: expected string, found integer 1",
                r#"dat: unknown field "dat", did you mean "data"?"#,
            ],
        ),
        (
            json!({"metadata": []}),
            &["metadata: expected object, found array"],
        ),
    ];
    for (object, expected) in cases {
        let found: Vec<String> = schema
            .violations(object)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, *expected, "{object}");
    }
}

#[test]
fn an_embedded_object_is_whole() {
    let schema = json!({"type": "object", "properties": {"template": {
        "type": "object",
        "x-kubernetes-embedded-resource": true,
        "properties": {"spec": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    }}});
    let right = json!({"template": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "spec": {"a": 1}}});
    check_custom(&schema, &right, &[]);
    check_custom(
        &schema,
        &json!({"template": {"apiVersion": "v1", "metadata": {"nmae": "a"}, "spce": {}}}),
        &[
            r#"template.metadata.nmae: unknown field "nmae", did you mean "name"?"#,
            r#"template.spce: unknown field "spce", did you mean "spec"?"#,
            r#"template: missing field "kind""#,
        ],
    );
}

#[test]
fn a_status_may_be_incomplete() {
    let part =
        json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}});
    let schema = Schema::from_json(&json!({"properties": {"status": part, "spec": part}}));
    let found = schema.violations(&json!({"status": {"a": "x"}, "spec": {}}));
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            r#"status.a: expected integer, found string "x""#,
            r#"spec: missing field "a""#
        ]
    );
    let found = schema.violations(&json!({"status": {}}));
    assert_eq!(found, []);
}

#[test]
fn values_of_a_secret_are_never_repeated() {
    let schema = Schema::from_json(&json!({"properties": {
        "data": {"type": "object", "additionalProperties": {"type": "string", "format": "byte"}},
        "stringData": {"type": "object", "additionalProperties": {"type": "string", "pattern": "^x", "enum": ["x"]}},
        "keys": {"x-kubernetes-list-type": "set"},
        "size": {"maximum": 3, "multipleOf": 2},
        "list": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
    }}));
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "data": {"a": "hunter2!", "b": 42_424_242}, "stringData": {"c": "hunter2"},
        "keys": ["hunter2", "hunter2"], "size": 424_242_425,
        "list": [{"k": "hunter2"}, {"k": "hunter2"}],
    });
    let found = schema.violations(&secret);
    assert_eq!(found.len(), 8, "{found:?}");
    for violation in found {
        let text = format!("{violation} {violation:?}");
        assert!(
            !text.contains("hunter2") && !text.contains("4242"),
            "{text}"
        );
    }
}

#[test]
fn problems_have_words_and_paths() {
    let schema = Schema::from_json(
        &json!({"properties": {"spec": {"properties": {"a": {"type": "string"}}, "required": ["b"]}}}),
    );
    let found = schema.violations(&json!({"spec": {"a": 1, "c": 2}}));
    let described: Vec<_> = found
        .iter()
        .map(|violation| (violation.path.to_string(), violation.problem.word()))
        .collect();
    let expected = [
        ("spec.a", "wrong-type"),
        ("spec.c", "unknown-field"),
        ("spec", "missing"),
    ];
    assert_eq!(
        described,
        expected.map(|(path, word)| (path.to_owned(), word))
    );
}

#[test]
fn long_values_are_cut() {
    let schema = Schema::from_json(&json!({"properties": {"a": {"type": "integer"}}}));
    let found = schema.violations(&json!({"a": "é".repeat(10_000), "y".repeat(10_000): 1}));
    for violation in found {
        assert!(violation.problem.to_string().len() < 200);
    }
}

#[test]
fn schemas_are_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Schema::from_json(&json!({})));
}
