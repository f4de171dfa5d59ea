use super::*;
use crate::overlay::assignment;

/// The values of a design, and what is given for them: files, then arguments.
fn values(design: &str, files: &[&str], arguments: &[&str]) -> Result<Values, Vec<String>> {
    let design = File::all("", "design.yaml", design);
    let mut values = Values::read(&design[0].document()).map_err(|errors| shown(&errors))?;
    for (index, text) in files.iter().enumerate() {
        for file in File::all("", &format!("v{index}.yaml"), text) {
            let given = values.give(&file.document());
            given.map_err(|errors| shown(&errors))?;
        }
    }
    for argument in arguments {
        let given = match argument.strip_prefix("string ") {
            Some(text) => values.set_string(text),
            None => values.set(argument),
        };
        given.map_err(|errors| shown(&errors))?;
    }
    Ok(values)
}

/// Fills one `ConfigMap` whose `data.x` is a text.
fn filled(values: &Values, text: &str) -> Result<Value, Vec<String>> {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
        "data": {"x": text}});
    let origin = Origin {
        file: "base.yaml".into(),
        line: Some(7),
        inside: crate::path::Path::root(),
        part: None,
    };
    let mut objects = vec![(object, origin)];
    let names: [&str; 0] = [];
    let applied = Overlays::default().apply(&mut objects, &names, values);
    applied.map_err(|errors| shown(&errors))?;
    Ok(objects[0].0["data"]["x"].take())
}

#[test]
fn assignments_have_the_syntax_of_helm() {
    let cases = [
        ("a=1", "[[a, 1]]"),
        ("a=1,b.c=x", "[[a, 1], [b.c, x]]"),
        ("a=", "[[a, '']]"),
        ("a=,b=", "[[a, ''], [b, '']]"),
        ("a=1,", "[[a, 1]]"),
        ("a=b=c", "[[a, b=c]]"),
        (r"a=x\,y", "[[a, 'x,y']]"),
        (r"a=x\\y", r"[[a, 'x\y']]"),
        (r"a\.b.c=1", r#"[['["a.b"].c', 1]]"#),
        (r"a\=b=1", r#"[['["a=b"]', 1]]"#),
        ("a[0].b=1", "[['a[0].b', 1]]"),
        ("a[0][1]=1", "[['a[0][1]', 1]]"),
        ("a={x,y}", "[[a, [x, y]]]"),
        ("a={}", "[[a, []]]"),
        ("a={1,true,null}", "[[a, [1, true, null]]]"),
        (r"a={x\,y,z\}},b=1", "[[a, ['x,y', 'z}']], [b, 1]]"),
        ("a={x,}", "[[a, [x, '']]]"),
        (r"a=\{x}", "[[a, '{x}']]"),
        ("a=null", "[[a, null]]"),
        ("a=~", "[[a, null]]"),
        ("a=true", "[[a, true]]"),
        ("a=1.5", "[[a, 1.5]]"),
        ("a=0x10", "[[a, 16]]"),
        ("a=1.2.3", "[[a, 1.2.3]]"),
        ("a=-", "[[a, '-']]"),
        ("a=---", "[[a, '---']]"),
        ("a=...", "[[a, '...']]"),
        ("a=.inf", "[[a, '.inf']]"),
        ("a=nginx:1.2", "[[a, 'nginx:1.2']]"),
        ("a=[x]", "[[a, '[x]']]"),
        ("a=# x", "[[a, '# x']]"),
        ("a= 1", "[[a, ' 1']]"),
        ("a=\u{e9}", "[[a, \u{e9}]]"),
    ];
    for (text, expected) in cases {
        let found = assignment::parse(text, false).expect(text).into_iter();
        let found: Vec<_> = found
            .map(|one| json!([one.path.to_string(), one.value]))
            .collect();
        assert_eq!(Value::Array(found), parse(expected), "{text}");
    }
    let found = assignment::parse("a=1,b=null,c={true}", true).expect("it is one");
    let texts: Vec<_> = found.into_iter().map(|one| one.value).collect();
    assert_eq!(texts, [json!("1"), json!("null"), json!(["true"])]);
}

#[test]
fn a_bad_assignment_names_the_character_and_not_the_value() {
    let cases = [
        ("", "a name is missing, give NAME=VALUE (at character 1)"),
        (
            "a",
            "the value is missing, give NAME=VALUE (at character 2)",
        ),
        (
            "a,b=1",
            "the value is missing, give NAME=VALUE (at character 3)",
        ),
        ("=1", "a name is missing, give NAME=VALUE (at character 1)"),
        (
            "a=1,,b=2",
            "a name is missing, give NAME=VALUE (at character 5)",
        ),
        (
            "a..b=1",
            "a name is missing, give NAME=VALUE (at character 3)",
        ),
        (
            "a.=1",
            "a name is missing, give NAME=VALUE (at character 3)",
        ),
        (
            "a[x]=1",
            "a place in a list is a number from 0 to 65535 (at character 3)",
        ),
        (
            "a[]=1",
            "a place in a list is a number from 0 to 65535 (at character 3)",
        ),
        (
            "a[-1]=1",
            "a place in a list is a number from 0 to 65535 (at character 3)",
        ),
        (
            "a[65536]=1",
            "a place in a list is a number from 0 to 65535 (at character 3)",
        ),
        ("a[1", "the bracket isn't closed (at character 4)"),
        (
            "a[1]b=1",
            "expected '.', '[' or '=' behind the bracket (at character 6)",
        ),
        (
            "a={x",
            "the brace of the list isn't closed (at character 5)",
        ),
        (
            "a={x}y",
            "expected a comma behind the list (at character 6)",
        ),
        (
            r"password=secret\",
            "a backslash takes the character after it (at character 17)",
        ),
    ];
    for (text, expected) in cases {
        let error = assignment::parse(text, false)
            .err()
            .map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(expected), "{text}");
    }
    let deep = format!("{}=1", vec!["a"; 65].join("."));
    assert!(assignment::parse(&deep, false).is_err());
}

#[test]
fn later_values_win_and_mappings_are_merged() {
    let design =
        "values: {image: {name: web, tag: '1'}, replicas: 2, hosts: [a], extra: {}, host: null}\n";
    let cases: &[(&[&str], &[&str], &str)] = &[
        (&[], &[], "web:1 2 a"),
        (&["image: {tag: 2}"], &[], "web:2 2 a"),
        (
            &["image: {tag: 2}", "image: {tag: '3', name: api}"],
            &[],
            "api:3 2 a",
        ),
        (&["image: {tag: 2}"], &["image.tag=4"], "web:4 2 a"),
        (&[], &["image.tag=4", "string image.tag=05"], "web:05 2 a"),
        (&[], &["hosts[0]=b", "replicas=3"], "web:1 3 b"),
        (&["hosts: [b, c]"], &["hosts={d}"], "web:1 2 d"),
        (&["~"], &[], "web:1 2 a"),
    ];
    for (files, arguments, expected) in cases {
        let values = values(design, files, arguments).expect("they fit");
        let text = "${image.name}:${image.tag} ${replicas} ${hosts[0]}";
        assert_eq!(
            filled(&values, text),
            Ok(json!(expected)),
            "{files:?} {arguments:?}"
        );
    }
    let values =
        values(design, &[], &["extra.a.b[1]=x", "host=h", "replicas=null"]).expect("they fit");
    assert_eq!(
        filled(&values, "${extra}"),
        Ok(json!({"a": {"b": [null, "x"]}}))
    );
    assert_eq!(filled(&values, "${extra.a.b[1]}${host}"), Ok(json!("xh")));
    assert_eq!(
        filled(&values, "${replicas}"),
        Err(vec![
            "base.yaml:7: the value \"replicas\" is not given and has no default \
             (ConfigMap/c, data.x) [give it with --set replicas=VALUE]"
                .to_owned()
        ])
    );
}

#[test]
fn a_value_that_the_design_does_not_have_is_refused() {
    let design = "values: {image: {name: web, tag: '1'}, hosts: [a], open: {}, any: null}\n";
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "image: {tga: 2}",
            "image.tga=2",
            &["the design has no value \"image.tga\" [did you mean image.tag?]"],
        ),
        (
            "imgae: {tag: 2}",
            "imgae.tag=2",
            &["the design has no value \"imgae\" [did you mean image?]"],
        ),
        ("tag: 2", "tag=2", &["the design has no value \"tag\""]),
        (
            "image.tag: 2",
            r"image\.tag=2",
            &["the design has no value \"[\\\"image.tag\\\"]\" [did you mean image.tag?]"],
        ),
        (
            "image: x",
            "image=x",
            &["the value \"image\" is a mapping in the design, not a string"],
        ),
        (
            "image: {tag: {a: 1}}",
            "image.tag.a=1",
            &["the value \"image.tag\" is a string in the design, not a mapping"],
        ),
        (
            "image: {tag: [1]}",
            "image.tag[0]=1",
            &["the value \"image.tag\" is a string in the design, not a list"],
        ),
        (
            "hosts: x",
            "hosts=x",
            &["the value \"hosts\" is a list in the design, not a string"],
        ),
        (
            "hosts: {a: x}",
            "hosts.a=x",
            &["the value \"hosts\" is a list in the design, not a mapping"],
        ),
        (
            "{open: {x: {y: 1}}, any: [1], image: {tag: null}}",
            "open.x[0]=1,any.b=2,image.tag=null",
            &[],
        ),
    ];
    for (file, argument, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|&line| line.to_owned()).collect();
        let by_file: Vec<String> = expected
            .iter()
            .map(|line| format!("v0.yaml:1: {line}"))
            .collect();
        let result = |errors: &Vec<String>| match errors.as_slice() {
            [] => Ok(()),
            errors => Err(errors.to_vec()),
        };
        assert_eq!(
            values(design, &[file], &[]).map(drop),
            result(&by_file),
            "{file}"
        );
        assert_eq!(
            values(design, &[], &[argument]).map(drop),
            result(&expected),
            "{argument}"
        );
    }
    let several = values(design, &["a: 1\nb:\n  c: 2\n"], &[]).expect_err("neither is known");
    assert_eq!(
        several,
        [
            "v0.yaml:1: the design has no value \"a\"",
            "v0.yaml:2: the design has no value \"b\""
        ]
    );
    let nothing = "the design has no section \"values\", so it takes no values";
    assert_eq!(
        values("name: d", &[], &["a=1"]).map(drop),
        Err(vec![nothing.to_owned()])
    );
    assert_eq!(
        values("name: d", &["\na: 1"], &[]).map(drop),
        Err(vec![format!("v0.yaml:2: {nothing}")])
    );
    assert!(values("name: d", &["{}"], &[]).is_ok());
    assert_eq!(
        values("values: [a]", &[], &[]).map(drop),
        Err(vec![
            "design.yaml:1: expected a mapping, found a list (values)".to_owned()
        ])
    );
    assert_eq!(
        values("values: {}", &["[a]"], &[]).map(drop),
        Err(vec![
            "v0.yaml:1: expected a mapping, found a list".to_owned()
        ])
    );
}

#[test]
fn placeholders_become_values() {
    let design = "values: {k: 3, t: true, s: text, e: '', none: null, m: {a: {b: 1}}, l: [x, 2], d-e_f: 1.5}\n";
    let values = values(design, &[], &[]).expect("they fit");
    let cases = [
        ("${k}", json!(3)),
        ("${t}", json!(true)),
        ("${s}", json!("text")),
        ("${m}", json!({"a": {"b": 1}})),
        ("${m.a}", json!({"b": 1})),
        ("${m.a.b}", json!(1)),
        ("${l}", json!(["x", 2])),
        ("${l[1]}", json!(2)),
        ("${d-e_f}", json!(1.5)),
        ("a${k}b${t}", json!("a3btrue")),
        ("${k}${k}", json!("33")),
        (" ${k}", json!(" 3")),
        ("${e}", json!("")),
        ("${k:-5}", json!(3)),
        ("${e:-5}", json!(5)),
        ("${none:-5}", json!(5)),
        ("${none:-}", json!("")),
        ("${none:-x y}", json!("x y")),
        ("${none:-1.0} v${none:-1.0}", json!("1.0 v1.0")),
        ("${none:-${k}}", json!(3)),
        ("${none:-${s}-${e:-${none:-x}}}", json!("text-x")),
        ("${none:-{a}}", json!("{a}")),
        // What has another form or another name isn't ours.
        ("${K} ${k", json!("${K} ${k")),
        ("${ko} $k $(k) {k} ${}", json!("${ko} $k $(k) {k} ${}")),
        (
            "${k:=1} ${k%x} ${k:?} ${k-1} ${ k }",
            json!("${k:=1} ${k%x} ${k:?} ${k-1} ${ k }"),
        ),
        (
            "${k.x} ${m[0]} ${s.t} ${l.x}",
            json!("${k.x} ${m[0]} ${s.t} ${l.x}"),
        ),
        ("${HOME:-${k}}", json!("${HOME:-3}")),
        // The dollar before a placeholder keeps it.
        ("$${k}", json!("${k}")),
        ("$${k:-x} ${k}", json!("${k:-x} 3")),
        ("$${HOME} $$ $${", json!("$${HOME} $$ $${")),
        ("$$${k}", json!("$${k}")),
        ("\u{e9}${s}\u{e9}", json!("\u{e9}text\u{e9}")),
    ];
    for (text, expected) in cases {
        assert_eq!(filled(&values, text), Ok(expected), "{text}");
    }
    let errors = [
        (
            "${none}",
            "the value \"none\" is not given and has no default (ConfigMap/c, data.x) \
             [give it with --set none=VALUE]",
        ),
        (
            "x${m}",
            "the value \"m\" is a mapping, which cannot stand inside of a text (ConfigMap/c, data.x)",
        ),
        (
            "x${l}",
            "the value \"l\" is a list, which cannot stand inside of a text (ConfigMap/c, data.x)",
        ),
    ];
    for (text, expected) in errors {
        assert_eq!(
            filled(&values, text),
            Err(vec![format!("base.yaml:7: {expected}")])
        );
    }
}

#[test]
fn a_missing_value_and_an_unknown_name_have_near_misses() {
    let design = "values: {db: {hosts: a, host: null}, image: x}\n";
    let values = values(design, &[], &[]).expect("they fit");
    assert_eq!(
        filled(&values, "${db.host}"),
        Err(vec![
            "base.yaml:7: the value \"db.host\" is not given and has no default \
             (ConfigMap/c, data.x) [did you mean db.hosts?]"
                .to_owned()
        ])
    );
    let text = format!("{WEB}a: ${{imgae}} ${{imgae}} ${{db.hsots}} ${{IMAGE}} ${{shell}}\n");
    let mut objects = objects(&text);
    let before = objects.clone();
    let names: [&str; 0] = [];
    let applied = Overlays::default().apply(&mut objects, &names, &values);
    assert_eq!(objects, before);
    assert_eq!(
        shown(&applied.expect("it stays as it is").warnings),
        [
            "base.yaml:1: the design has no value \"imgae\", so the placeholder stays as it is \
             (apps/Deployment/web, a) [did you mean image?]",
            "base.yaml:1: the design has no value \"db.hsots\", so the placeholder stays as it is \
             (apps/Deployment/web, a) [did you mean db.hosts?]",
        ]
    );
}

#[test]
fn a_design_without_values_is_never_touched() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${name}'}\n\
        data: {run.sh: 'echo ${name:-x} $${name} ${missing}'}\n";
    for design in ["name: d", "name: d\nvalues: {}", "name: d\nvalues: ~"] {
        let values = values(design, &[], &[]).expect("they fit");
        let mut objects = objects(text);
        let before = objects.clone();
        let names: [&str; 0] = [];
        let applied = Overlays::default().apply(&mut objects, &names, &values);
        let applied = applied.expect("nothing is wrong");
        assert!(applied.provenance.is_empty() && applied.warnings.is_empty());
        assert_eq!(objects, before);
    }
}

#[test]
fn keys_and_the_kind_of_an_object_are_not_filled() {
    let text = "apiVersion: '${v}'\nkind: '${v}'\nmetadata: {name: '${v}', '${v}': '${v}'}\n\
        spec: {kind: '${v}'}\n";
    let values = values("values: {v: x}", &[], &[]).expect("they fit");
    let mut objects = objects(text);
    let names: [&str; 0] = [];
    let applied = Overlays::default().apply(&mut objects, &names, &values);
    assert!(applied.is_ok());
    let expected =
        "apiVersion: '${v}'\nkind: '${v}'\nmetadata: {name: x, '${v}': x}\nspec: {kind: x}\n";
    assert_eq!(objects[0].0, parse(expected));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn overlays_bring_values_and_their_patches_are_filled() {
    let design = "\
values: {app: web, tag: '1', replicas: 1, env: null}
overlays:
  staging:
    values: {tag: '2', env: stage}
    patches:
    - apiVersion: apps/v1
      kind: Deployment
      metadata: {name: '${app}'}
      spec: {replicas: '${replicas}', x: '${app}-${env}'}
    - target: {kind: Deployment, name: '${app}*'}
      patch: [{op: add, path: /spec/y, value: ['${env}']}]
  prod:
    values:
      tag: '3'
";
    let file = File::all("", "design.yaml", design);
    let document = file[0].document();
    let overlays = Overlays::read(Some(&document), &[]).expect("they are right");
    assert_eq!(overlays.names().collect::<Vec<_>>(), ["prod", "staging"]);
    assert!(overlays.contains("prod") && !overlays.contains("dev"));
    let base = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: '${app}'}\n\
        spec: {image: 'web:${tag}'}\n";
    let run = |names: &[&str], arguments: &[&str]| {
        let mut values = Values::read(&document).expect("it is a mapping");
        for argument in arguments {
            values.set(argument).expect("it fits");
        }
        let mut objects = objects(base);
        let applied = overlays.apply(&mut objects, names, &values);
        let applied = applied.map_err(|errors| shown(&errors))?;
        let object = objects.remove(0).0;
        let by = |path: &str| {
            applied
                .provenance
                .of(&object, path)
                .map(ToString::to_string)
        };
        let by = [
            "metadata.name",
            "spec.image",
            "spec.replicas",
            "spec.x",
            "spec.y[0]",
        ]
        .map(by);
        let by = by.map(Option::unwrap_or_default);
        Ok::<_, Vec<String>>((object["spec"].clone(), by))
    };
    let staging = |line: u32| format!("overlay staging (design.yaml:{line})");
    assert_eq!(
        run(&["staging"], &[]),
        Ok((
            json!({"image": "web:2", "replicas": 1, "x": "web-stage", "y": ["stage"]}),
            [
                String::new(),
                staging(4),
                staging(9),
                staging(9),
                staging(11)
            ]
        ))
    );
    assert_eq!(
        run(&["prod"], &[]),
        Ok((
            json!({"image": "web:3"}),
            ["", "overlay prod (design.yaml:14)", "", "", ""].map(str::to_owned)
        ))
    );
    assert_eq!(
        run(&["prod", "staging"], &["replicas=5,app=api"]),
        Ok((
            json!({"image": "web:2", "replicas": 5, "x": "api-stage", "y": ["stage"]}),
            [
                "--set app".to_owned(),
                staging(4),
                staging(9),
                staging(9),
                staging(11)
            ]
        ))
    );
    assert_eq!(
        run(&["staging"], &["env=null"]),
        Err(vec![
            "design.yaml:9: overlay staging: the value \"env\" is not given and has no default \
             (apps/Deployment/${app}, spec.x) [give it with --set env=VALUE]"
                .to_owned(),
            "design.yaml:11: overlay staging: the value \"env\" is not given and has no default \
             (Deployment/${app}*, [0]) [give it with --set env=VALUE]"
                .to_owned(),
        ])
    );
    assert_eq!(
        run(&["stagging"], &[]),
        Err(vec![
            "there is no overlay \"stagging\" [did you mean staging?]".to_owned()
        ])
    );
    assert_eq!(
        run(&["x"], &[]),
        Err(vec![
            "there is no overlay \"x\" [known are prod, staging]".to_owned()
        ])
    );
}

#[test]
fn the_values_of_an_overlay_are_checked_too() {
    let files = [
        ("o", "overlays/o/values.yaml", "tga: 2\n"),
        ("o", "overlays/o/web.yaml", ""),
        ("p", "overlays/p/values.yml", "\ntag: 2\n"),
    ];
    let files = files.map(|(overlay, file, text)| File::all(overlay, file, text));
    let files: Vec<File> = files.into_iter().flatten().collect();
    let overlays = read_files(&files).expect("they are right");
    let run = |names: &[&str], values: &Values| {
        let applied = overlays.apply(&mut Vec::new(), names, values);
        applied.map(drop).map_err(|errors| shown(&errors))
    };
    let declared = values("values: {tag: 1}", &[], &[]).expect("they fit");
    assert_eq!(run(&["p"], &declared), Ok(()));
    assert_eq!(
        run(&["p", "o"], &declared),
        Err(vec![
            "overlays/o/values.yaml:1: overlay o: the design has no value \"tga\" \
             [did you mean tag?]"
                .to_owned()
        ])
    );
    assert_eq!(
        run(&["p"], &Values::default()),
        Err(vec![
            "overlays/p/values.yml:2: overlay p: the design has no section \"values\", so it \
             takes no values"
                .to_owned()
        ])
    );
}

#[test]
fn placeholders_cannot_make_an_object_too_large() {
    let list = vec!["1"; 1_000].join(", ");
    let values =
        values(&format!("values: {{l: [{list}], none: null}}"), &[], &[]).expect("they fit");
    let many = "'${l}', ".repeat(200);
    let mut objects = objects(&format!("{WEB}a: [{many}]\n"));
    let names: [&str; 0] = [];
    let result = Overlays::default().apply(&mut objects, &names, &values);
    let errors = shown(&result.expect_err("it is too large"));
    assert!(
        errors[0].contains("the number of filled-in values is over the limit of 100000"),
        "{errors:?}"
    );
    let deep = (0..120).fold("'${d}'".to_owned(), |inner, _| format!("{{a: {inner}}}"));
    let value = (0..20).fold("1".to_owned(), |inner, _| format!("{{b: {inner}}}"));
    let values =
        super::values::values(&format!("values: {{d: {value}}}"), &[], &[]).expect("they fit");
    let mut objects = super::objects(&format!("{WEB}a: {deep}\n"));
    let result = Overlays::default().apply(&mut objects, &names, &values);
    let errors = shown(&result.expect_err("it is too deep"));
    assert!(
        errors[0].contains("the depth of the object is over the limit of 128"),
        "{errors:?}"
    );
    let long = "x".repeat(1 << 20);
    let values =
        super::values::values(&format!("values: {{long: {long}}}"), &[], &[]).expect("they fit");
    for text in [
        "${long}".repeat(40),
        format!("[{}]", "'${long}', ".repeat(20)),
    ] {
        let mut objects = super::objects(&format!("{WEB}a: {text}\n"));
        let result = Overlays::default().apply(&mut objects, &names, &values);
        let errors = shown(&result.expect_err("it is too long"));
        assert!(
            errors[0].contains("the length of filled-in text in bytes is over the limit"),
            "{errors:?}"
        );
    }
    // Defaults in defaults end somewhere.
    let text = format!("{}x{}", "${none:-".repeat(400), "}".repeat(400));
    let values = super::values::values("values: {none: null}", &[], &[]).expect("they fit");
    assert!(filled(&values, &text).is_ok());
}

#[test]
fn nothing_shows_a_secret_value() {
    let mut values = values(
        "values: {password: null, list: [a]}",
        &["password: CANARY"],
        &[],
    )
    .expect("they fit");
    values.set("password=CANARY").expect("it fits");
    let shown = format!("{values:?}");
    let error = format!("{:?}", values.set("password=CANARY,x=CANARY"));
    let shape = format!("{:?}", values.set("list=CANARY"));
    let overlays =
        overlay("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: CANARY}\n");
    let overlays = overlays.map_err(|errors| super::shown(&errors));
    let mut objects = objects(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: '${password}'}\n",
    );
    let applied = overlays
        .as_ref()
        .map(|overlays| overlays.apply(&mut objects, &["o"], &values));
    for text in [
        shown,
        error,
        shape,
        format!("{overlays:?}"),
        format!("{applied:?}"),
    ] {
        assert!(!text.contains("CANARY"), "{text}");
    }
}
