mod provenance;
mod values;

use serde_json::json;

use super::*;
use crate::yaml::Positions;

/// A file of a test.
struct File {
    overlay: String,
    origin: Origin,
    value: Value,
    positions: Positions,
}

impl File {
    /// Reads every document of a text.
    fn all(overlay: &str, file: &str, text: &str) -> Vec<Self> {
        let documents = yaml::split(text).filter_map(|document| {
            let value = yaml::parse(&document, &Limits::STREAM).expect(text)?;
            Some(Self {
                overlay: overlay.to_owned(),
                origin: Origin {
                    file: file.into(),
                    line: Some(u32::try_from(document.line_offset + 1).expect("few lines")),
                    inside: crate::path::Path::root(),
                    part: None,
                },
                value,
                positions: Positions::of(&document),
            })
        });
        documents.collect()
    }

    fn document(&self) -> Document<'_> {
        Document {
            value: &self.value,
            origin: &self.origin,
            positions: Some(&self.positions),
        }
    }
}

fn shown(errors: &[Error]) -> Vec<String> {
    let show = |error: &Error| match &error.hint {
        Some(hint) => format!("{error} [{hint}]"),
        None => error.to_string(),
    };
    errors.iter().map(show).collect()
}

fn read_files(files: &[File]) -> Result<Overlays, Vec<Error>> {
    let files: Vec<_> = files
        .iter()
        .map(|file| (file.overlay.clone(), file.document()))
        .collect();
    Overlays::read(None, &files)
}

/// One overlay "o" of one file "o.yaml".
fn overlay(text: &str) -> Result<Overlays, Vec<Error>> {
    read_files(&File::all("o", "o.yaml", text))
}

fn objects(text: &str) -> Vec<(Value, Origin)> {
    let files = File::all("", "base.yaml", text).into_iter();
    files.map(|file| (file.value, file.origin)).collect()
}

fn parse(text: &str) -> Value {
    yaml::parse_one(text, &Limits::STREAM).expect(text)
}

/// Applies overlay "o" to objects.
fn apply(objects: &mut Vec<(Value, Origin)>, patch: &str) -> Result<Applied, Vec<String>> {
    let overlays = overlay(patch).map_err(|errors| shown(&errors))?;
    let before = objects.clone();
    let applied = overlays.apply(objects, &["o"], &Values::default());
    applied.map_err(|errors| {
        assert_eq!(*objects, before, "an error changes nothing");
        shown(&errors)
    })
}

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
";

/// Applies a patch of `spec` to a `spec` of that kind.
fn patched(head: &str, spec: &str, patch: &str) -> Result<Value, Vec<String>> {
    let mut objects = objects(&format!("{head}{spec}"));
    apply(&mut objects, &format!("{head}{patch}"))?;
    let mut object = objects.remove(0).0;
    let map = object.as_object_mut().expect("a mapping");
    map.retain(|key, _| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata"));
    Ok(object)
}

fn pod(head: &str, spec: &str, patch: &str) -> Result<Value, Vec<String>> {
    let wrap = |text: &str| format!("spec: {{template: {{spec: {text}}}}}\n");
    let done = patched(head, &wrap(spec), &wrap(patch))?;
    Ok(done["spec"]["template"]["spec"].clone())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn lists_of_pods_merge_by_their_keys() {
    let cases = [
        (
            "a new container comes first, as with kubectl",
            "{containers: [{name: web, image: nginx}]}",
            "{containers: [{name: log, image: redis}]}",
            "{containers: [{name: log, image: redis}, {name: web, image: nginx}]}",
        ),
        (
            "a known one is merged and stays where it is",
            "{containers: [{name: a, image: x}, {name: web, image: nginx, tty: true}]}",
            "{containers: [{name: web, image: nginx:2}]}",
            "{containers: [{name: a, image: x}, {name: web, image: nginx:2, tty: true}]}",
        ),
        (
            "those of a patch stand as the patch has them",
            "{containers: [{name: a}, {name: b}, {name: c}]}",
            "{containers: [{name: c}, {name: d}, {name: a}]}",
            "{containers: [{name: b}, {name: c}, {name: d}, {name: a}]}",
        ),
        (
            "tolerations are replaced as a whole",
            "{tolerations: [{key: a, operator: Exists}]}",
            "{tolerations: [{key: b, operator: Exists}]}",
            "{tolerations: [{key: b, operator: Exists}]}",
        ),
        (
            "variables by name, a null takes a field away",
            "{initContainers: [{name: i, env: [{name: A, value: '1'}, {name: B, value: '2'}]}]}",
            "{initContainers: [{name: i, env: [{name: B, value: null, valueFrom: {x: y}}]}]}",
            "{initContainers: [{name: i, env: [{name: A, value: '1'}, {name: B, valueFrom: {x: y}}]}]}",
        ),
        (
            "ports by number and protocol, which is TCP where it isn't written",
            "{containers: [{name: dns, ports: [{containerPort: 53, protocol: UDP}]}]}",
            "{containers: [{name: dns, ports: [{containerPort: 53, protocol: TCP, name: t}]}]}",
            "{containers: [{name: dns, ports: [{containerPort: 53, protocol: TCP, name: t},
                {containerPort: 53, protocol: UDP}]}]}",
        ),
        (
            "a port without a protocol is the only one of its number",
            "{containers: [{name: dns, ports: [{containerPort: 53, protocol: UDP}]}]}",
            "{containers: [{name: dns, ports: [{containerPort: 53, name: dns}]}]}",
            "{containers: [{name: dns, ports: [{containerPort: 53, protocol: UDP, name: dns}]}]}",
        ),
        (
            "removing one of two ports leaves the other",
            "{containers: [{name: d, ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53}]}]}",
            "{containers: [{name: d, ports: [{containerPort: 53, $patch: delete}]}]}",
            "{containers: [{name: d, ports: [{containerPort: 53, protocol: UDP}]}]}",
        ),
        (
            "mounts by path, devices by path, volumes by name",
            "{containers: [{name: a, volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /b}],
                volumeDevices: [{name: v, devicePath: /d}]}], volumes: [{name: v, emptyDir: {}}]}",
            "{containers: [{name: a, volumeMounts: [{name: w, mountPath: /b}],
                volumeDevices: [{name: w, devicePath: /d}]}], volumes: [{name: w, emptyDir: {}}]}",
            "{containers: [{name: a, volumeMounts: [{name: v, mountPath: /a}, {name: w, mountPath: /b}],
                volumeDevices: [{name: w, devicePath: /d}]}],
                volumes: [{name: w, emptyDir: {}}, {name: v, emptyDir: {}}]}",
        ),
        (
            "aliases by address, whose names are replaced; pull secrets by name",
            "{hostAliases: [{ip: '1', hostnames: [a]}], imagePullSecrets: [{name: s}]}",
            "{hostAliases: [{ip: '1', hostnames: [b]}], imagePullSecrets: [{name: s}, {name: t}]}",
            "{hostAliases: [{ip: '1', hostnames: [b]}], imagePullSecrets: [{name: s}, {name: t}]}",
        ),
        (
            "spread constraints by topology, even where the patch changes the other key",
            "{topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: DoNotSchedule, maxSkew: 1}]}",
            "{topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]}",
            "{topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, maxSkew: 1}]}",
        ),
        (
            "an item is removed, also when it isn't there",
            "{containers: [{name: a}, {name: b}]}",
            "{containers: [{name: a, $patch: delete}, {name: x, $patch: delete}]}",
            "{containers: [{name: b}]}",
        ),
        (
            "an item is replaced",
            "{containers: [{name: a, image: x, tty: true}]}",
            "{containers: [{name: a, image: y, $patch: replace}]}",
            "{containers: [{name: a, image: y}]}",
        ),
        (
            "a list is replaced",
            "{containers: [{name: a}, {name: b, tty: true}]}",
            "{containers: [{name: b, image: y}, {$patch: replace}]}",
            "{containers: [{name: b, image: y}]}",
        ),
        (
            "a mapping is replaced, emptied, merged",
            "{nodeSelector: {a: '1', b: '2'}, securityContext: {x: 1}, affinity: {y: 1}}",
            "{nodeSelector: {$patch: replace, c: '3'}, securityContext: {$patch: delete},
                affinity: {$patch: merge, z: 2}}",
            "{nodeSelector: {c: '3'}, securityContext: {}, affinity: {y: 1, z: 2}}",
        ),
        (
            "a volume keeps only what is listed",
            "{volumes: [{name: v, emptyDir: {}}]}",
            "{volumes: [{name: v, $retainKeys: [name, configMap], configMap: {name: c}}]}",
            "{volumes: [{name: v, configMap: {name: c}}]}",
        ),
        (
            "the order of items is set, and of those that aren't listed kept",
            "{containers: [{name: a}, {name: b}, {name: c}]}",
            "{$setElementOrder/containers: [{name: c}, {name: a}], containers: [{name: a, tty: true}]}",
            "{containers: [{name: b}, {name: c}, {name: a, tty: true}]}",
        ),
        (
            "the order is set without any other change",
            "{containers: [{name: a}, {name: b}]}",
            "{$setElementOrder/containers: [{name: b}, {name: a}]}",
            "{containers: [{name: b}, {name: a}]}",
        ),
        (
            "what is new brings no directives and no nulls with it",
            "{}",
            "{containers: [{name: a, image: null, env: [{name: E, $patch: delete}, {$patch: replace}],
                resources: {$patch: replace, limits: {cpu: '1'}}, securityContext: {$patch: delete},
                $setElementOrder/ports: [], $deleteFromPrimitiveList/args: [x]}]}",
            "{containers: [{name: a, env: [], resources: {limits: {cpu: '1'}}}]}",
        ),
        (
            "another type is replaced",
            "{nodeSelector: null, containers: null, hostname: {a: 1}, dnsConfig: x}",
            "{nodeSelector: {a: b}, containers: [{name: a}], hostname: h, dnsConfig: {options: []}}",
            "{nodeSelector: {a: b}, containers: [{name: a}], hostname: h, dnsConfig: {options: []}}",
        ),
    ];
    for (what, base, patch, expected) in cases {
        assert_eq!(pod(WEB, base, patch), Ok(parse(expected)), "{what}");
    }
    let nested = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\n";
    let wrap =
        |text: &str| format!("spec: {{jobTemplate: {{spec: {{template: {{spec: {text}}}}}}}}}");
    let done = patched(
        nested,
        &wrap("{containers: [{name: a, image: x}]}"),
        &wrap("{containers: [{name: a, tty: true}]}"),
    );
    let expected = wrap("{containers: [{name: a, image: x, tty: true}]}");
    assert_eq!(done, Ok(parse(&expected)));
}

#[test]
fn kinds_merge_as_the_api_says() {
    let head = |api_version: &str, kind: &str| {
        format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: x}}\n")
    };
    let cases = [
        (
            "v1",
            "Service",
            "spec: {ports: [{port: 53, protocol: UDP}, {port: 80, name: http}], selector: {a: b}}",
            "spec: {ports: [{port: 53, protocol: TCP}, {port: 80, targetPort: 8080}], selector: {a: null}}",
            "spec: {ports: [{port: 53, protocol: TCP}, {port: 53, protocol: UDP},
                {port: 80, name: http, targetPort: 8080}], selector: {}}",
        ),
        (
            "apps/v1",
            "Deployment",
            "spec: {strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}",
            "spec: {strategy: {type: Recreate, $retainKeys: [type]}}",
            "spec: {strategy: {type: Recreate}}",
        ),
        (
            "extensions/v1beta1",
            "Deployment",
            "spec: {template: {spec: {containers: [{name: a, image: x}]}}}",
            "spec: {template: {spec: {containers: [{name: a, tty: true}]}}}",
            "spec: {template: {spec: {containers: [{name: a, image: x, tty: true}]}}}",
        ),
        (
            "apps/v1",
            "StatefulSet",
            "spec: {volumeClaimTemplates: [{metadata: {name: a}}]}",
            "spec: {volumeClaimTemplates: [{metadata: {name: b}}]}",
            "spec: {volumeClaimTemplates: [{metadata: {name: b}}]}",
        ),
        (
            "policy/v1",
            "PodDisruptionBudget",
            "spec: {selector: {matchLabels: {a: b}}, minAvailable: 1}",
            "spec: {selector: {matchLabels: {c: d}}}",
            "spec: {selector: {matchLabels: {c: d}}, minAvailable: 1}",
        ),
        (
            "v1",
            "ServiceAccount",
            "secrets: [{name: a}]\nimagePullSecrets: [{name: a}]",
            "secrets: [{name: b}]\nimagePullSecrets: [{name: b}]",
            "secrets: [{name: b}, {name: a}]\nimagePullSecrets: [{name: b}]",
        ),
        (
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            "webhooks: [{name: a, matchConditions: [{name: m, expression: x}], rules: [1]}]",
            "webhooks: [{name: a, matchConditions: [{name: n, expression: y}], rules: [2]}]",
            "webhooks: [{name: a, matchConditions: [{name: n, expression: y}, {name: m, expression: x}],
                rules: [2]}]",
        ),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "spec: {ingress: [{ports: [{port: 80}]}]}",
            "spec: {ingress: [{ports: [{port: 81}]}]}",
            "spec: {ingress: [{ports: [{port: 81}]}]}",
        ),
        // Of a custom resource nothing is known: RFC 7386.
        (
            "example.com/v1",
            "Deployment",
            "spec: {a: {b: 1, c: 2}, template: {spec: {containers: [{name: a, image: x}]}}}",
            "spec: {a: {b: null, d: {e: null}}, template: {spec: {containers: [{name: b, y: null}]}}}",
            "spec: {a: {c: 2, d: {}}, template: {spec: {containers: [{name: b, y: null}]}}}",
        ),
    ];
    for (api_version, kind, base, patch, expected) in cases {
        let head = head(api_version, kind);
        assert_eq!(patched(&head, base, patch), Ok(parse(expected)), "{kind}");
    }
}

#[test]
fn metadata_merges_in_known_kinds_only() {
    let metadata = |api_version: &str, base: &str, patch: &str| {
        let object = |metadata: &str| {
            format!("apiVersion: {api_version}\nkind: Thing\nmetadata: {{name: x, {metadata}}}\n")
        };
        let mut objects = objects(&object(base));
        apply(&mut objects, &object(patch)).expect("it fits");
        let mut metadata = objects[0].0["metadata"].take();
        metadata
            .as_object_mut()
            .expect("a mapping")
            .shift_remove("name");
        metadata
    };
    let cases = [
        (
            "labels: {a: b}, annotations: {x: y}",
            "labels: {c: d}, annotations: {x: null}",
            "{labels: {a: b, c: d}, annotations: {}}",
            "{labels: {a: b, c: d}, annotations: {}}",
        ),
        (
            "finalizers: [a, b]",
            "finalizers: [c, b]",
            "{finalizers: [c, a, b]}",
            "{finalizers: [c, b]}",
        ),
        (
            "finalizers: [a, b, c]",
            "$deleteFromPrimitiveList/finalizers: [b, x]",
            "{finalizers: [a, c]}",
            "{finalizers: [a, c]}",
        ),
        (
            "finalizers: [a, b]",
            "$setElementOrder/finalizers: [b, a]",
            "{finalizers: [b, a]}",
            "{finalizers: [b, a]}",
        ),
        (
            "ownerReferences: [{uid: '1', name: a}]",
            "ownerReferences: [{uid: '1', controller: true}]",
            "{ownerReferences: [{uid: '1', name: a, controller: true}]}",
            "{ownerReferences: [{uid: '1', controller: true}]}",
        ),
    ];
    for (base, patch, known, custom) in cases {
        assert_eq!(metadata("apps/v1", base, patch), parse(known), "{patch}");
        assert_eq!(metadata("x.io/v1", base, patch), parse(custom), "{patch}");
    }
}

#[test]
fn an_object_is_removed_or_replaced_as_a_whole() {
    let text = format!(
        "{WEB}spec: {{replicas: 1}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\n"
    );
    let mut all = objects(&text);
    let applied = apply(&mut all, &format!("{WEB}$patch: delete\n")).expect("it is there");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].0["kind"], "Service");
    let removed = applied.provenance.removed();
    assert_eq!(removed[0].0.as_str(), "apps/Deployment/web");
    assert_eq!(removed[0].1.to_string(), "overlay o (o.yaml:4)");

    let mut all = objects(&format!("{WEB}spec: {{replicas: 1}}\nx: 1\n"));
    apply(
        &mut all,
        &format!("{WEB}$patch: replace\nspec: {{paused: true}}\n"),
    )
    .expect("it is there");
    assert_eq!(all[0].0, parse(&format!("{WEB}spec: {{paused: true}}\n")));

    // Directives in metadata don't take the identity away.
    for metadata in [
        "$patch: replace, labels: {a: b}",
        "$patch: delete",
        "$retainKeys: []",
    ] {
        let head = WEB.replace(
            "name: web",
            "name: web, namespace: shop, annotations: {x: y}",
        );
        let mut all = objects(&head);
        let patch = WEB.replace("name: web", &format!("name: web, {metadata}"));
        apply(&mut all, &patch).expect("it is there");
        let identity = Identity::of(&all[0].0);
        assert_eq!(
            identity.id().as_str(),
            "apps/Deployment/shop/web",
            "{metadata}"
        );
        assert_eq!(all[0].0["metadata"].get("annotations"), None, "{metadata}");
    }

    // A second patch of what is gone has nothing to patch.
    let twice = format!("{WEB}$patch: delete\n---\n{WEB}spec: {{paused: true}}\n");
    assert_eq!(
        apply(&mut objects(&text), &twice).map(drop),
        Err(vec![
            "o.yaml:6: overlay o: no object fits the patch (apps/Deployment/web)".to_owned()
        ])
    );
}

#[test]
fn a_bad_strategic_patch_names_line_target_and_place() {
    let cases = [
        (
            "      containers: [{image: x}]",
            "o.yaml:7: overlay o: the items of this list merge by name, which this one doesn't have \
             (apps/Deployment/web, spec.template.spec.containers[0])",
        ),
        (
            "      containers: [a]",
            "o.yaml:7: overlay o: expected a mapping, found a string \
             (apps/Deployment/web, spec.template.spec.containers[0])",
        ),
        (
            "      containers: [{$patch: delete}]",
            "o.yaml:7: overlay o: the items of this list merge by name, which this one doesn't have \
             (apps/Deployment/web, spec.template.spec.containers[0])",
        ),
        (
            "      nodeSelector:\n        $patch: remove",
            "o.yaml:8: overlay o: $patch is \"remove\", which is not replace, delete or merge \
             (apps/Deployment/web, spec.template.spec.nodeSelector.$patch)",
        ),
        (
            "      nodeSelector: {$patch: [x]}",
            "o.yaml:7: overlay o: $patch is \"a list\", which is not replace, delete or merge \
             (apps/Deployment/web, spec.template.spec.nodeSelector.$patch)",
        ),
        (
            "      tolerations: [{key: a, $patch: delete}]",
            "o.yaml:7: overlay o: the items of this list have no key to merge by, so $patch: delete \
             has no meaning here (apps/Deployment/web, spec.template.spec.tolerations[0])",
        ),
        (
            "      $setElementOrder/tolerations: [{key: a}]",
            "o.yaml:7: overlay o: the items of this list have no key to merge by, so \
             $setElementOrder has no meaning here (apps/Deployment/web, spec.template.spec)",
        ),
        (
            "      $setElementOrder/containers: [{name: a}]\n      containers: [{name: b}]",
            "o.yaml:7: overlay o: $setElementOrder doesn't list every item that the patch has, or in \
             another order (apps/Deployment/web, spec.template.spec)",
        ),
        (
            "      $setElementOrder/containers: x",
            "o.yaml:7: overlay o: expected a list, found a string (apps/Deployment/web, spec.template.spec)",
        ),
        (
            "      $retainKeys: [a]\n      nodeSelector: {}",
            "o.yaml:8: overlay o: the patch sets \"nodeSelector\", which its $retainKeys doesn't list \
             (apps/Deployment/web, spec.template.spec)",
        ),
        (
            "      $deleteFromPrimitiveList/x: a",
            "o.yaml:7: overlay o: expected a list, found a string (apps/Deployment/web, spec.template.spec)",
        ),
    ];
    let base = format!(
        "{WEB}spec: {{template: {{spec: {{containers: [{{name: a}}], nodeSelector: {{}}, \
         tolerations: [{{key: a}}]}}}}}}\n"
    );
    for (patch, expected) in cases {
        let patch = format!("{WEB}spec:\n  template:\n    spec:\n{patch}\n");
        assert_eq!(
            apply(&mut objects(&base), &patch).map(drop),
            Err(vec![expected.to_owned()]),
            "{patch}"
        );
    }
}

#[test]
fn a_patch_finds_its_object() {
    let object = |api_version: &str, kind: &str, metadata: &str| {
        format!("---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {{{metadata}}}\n")
    };
    let all = [
        object("apps/v1", "Deployment", "name: web, namespace: shop"),
        object("apps/v1", "Deployment", "name: web, namespace: test"),
        object("apps/v1", "Deployment", "name: api"),
        object("apps/v1", "Deployment", "name: api, namespace: shop"),
        object("v1", "Service", "name: web"),
        object("x.io/v1", "Service", "name: other"),
    ]
    .concat();
    // The places of those that are patched, or the error.
    let found = |patch: &str| {
        let mut objects = objects(&all);
        apply(&mut objects, patch)?;
        let patched = objects.iter().enumerate();
        let patched = patched.filter(|(_, (object, _))| object.get("x").is_some());
        Ok(patched.map(|(index, _)| index).collect::<Vec<_>>())
    };
    let own = |api_version: &str, kind: &str, metadata: &str| {
        found(&format!("{}x: 1\n", object(api_version, kind, metadata)))
    };
    let error = |text: &str| Err(vec![format!("o.yaml:{text}")]);
    assert_eq!(
        own("apps/v1", "Deployment", "name: web, namespace: test"),
        Ok(vec![1])
    );
    assert_eq!(
        own("extensions/v1beta1", "Deployment", "name: api"),
        Ok(vec![2])
    );
    assert_eq!(own("v1", "Service", "name: web"), Ok(vec![4]));
    assert_eq!(
        own("apps/v1", "Deployment", "name: web"),
        error(
            "2: overlay o: the patch fits several objects: apps/Deployment/shop/web, \
             apps/Deployment/test/web (apps/Deployment/web) [give the patch a metadata.namespace]"
        )
    );
    let nothing = [
        (
            own("apps/v1", "Deployment", "name: wbe, namespace: shop"),
            "apps/Deployment/shop/wbe) [did you mean apps/Deployment/shop/web?]",
        ),
        (
            own("apps/v1", "Deployment", "name: web, namespace: prod"),
            "apps/Deployment/prod/web) [did you mean apps/Deployment/shop/web?]",
        ),
        (
            own("v1", "Deployment", "name: api"),
            "Deployment/api) [did you mean apps/Deployment/api?]",
        ),
        (
            own("apps/v1", "Deploymnet", "name: api"),
            "apps/Deploymnet/api) [did you mean apps/Deployment/api?]",
        ),
        (
            own("v1", "ConfigMap", "name: settings"),
            "ConfigMap/settings)",
        ),
    ];
    for (found, expected) in nothing {
        assert_eq!(
            found,
            error(&format!(
                "2: overlay o: no object fits the patch ({expected}"
            ))
        );
    }
    let target = |target: &str| {
        found(&format!(
            "target: {{{target}}}\npatch: [{{op: add, path: /x, value: 1}}]\n"
        ))
    };
    let fits: &[(&str, &[usize])] = &[
        ("kind: Deployment", &[0, 1, 2, 3]),
        ("kind: Deployment, name: w*", &[0, 1]),
        ("kind: '*', name: '*e*'", &[0, 1, 4, 5]),
        ("kind: Deployment, namespace: shop", &[0, 3]),
        ("kind: Deployment, namespace: ''", &[2]),
        ("kind: Service", &[4, 5]),
        ("kind: Service, group: ''", &[4]),
        ("kind: Service, group: x.io, version: v1", &[5]),
        ("group: extensions, kind: Deployment, name: api", &[2, 3]),
        ("name: other", &[5]),
        ("name: 'o*t*h*r'", &[5]),
    ];
    for (text, places) in fits {
        assert_eq!(target(text), Ok(places.to_vec()), "{text}");
    }
    let fits_nothing = [
        ("kind: Deployment, version: v2", "Deployment/*)"),
        (
            "kind: Deployment, name: web.*",
            "Deployment/web.*) [a target is no regular expression: * stands for any text, as in web-*]",
        ),
        (
            "kind: Service, name: wep",
            "Service/wep) [did you mean Service/web?]",
        ),
        (
            "kind: Service, name: oter",
            "Service/oter) [did you mean x.io/Service/other?]",
        ),
        (
            "group: x.io, kind: Service, name: web",
            "x.io/Service/web) [did you mean Service/web?]",
        ),
    ];
    for (text, expected) in fits_nothing {
        let expected = format!("2: overlay o: no object fits the patch ({expected}");
        assert_eq!(target(text), error(&expected), "{text}");
    }
}

#[test]
fn a_glob_is_matched_from_end_to_end() {
    let cases = [
        ("", "", true),
        ("web", "web", true),
        ("web", "we", false),
        ("web", "*", true),
        ("", "*", true),
        ("web", "w*b", true),
        ("wb", "w*b", true),
        ("b", "b*b", false),
        ("web-1", "web*2", false),
        ("a-b-c", "*-*-*", true),
        ("a-b", "*-*-*", false),
        ("aab", "*ab", true),
        ("abab", "a*ab", true),
        ("x.y", "x?y", false),
    ];
    for (text, glob, expected) in cases {
        assert_eq!(is_like(text, glob), expected, "{text} {glob}");
    }
}

/// Applies operations to an object that has more fields than those of an identity.
fn operated(base: &str, operations: &str) -> Result<Value, String> {
    let mut objects = objects(&format!("{WEB}{base}"));
    let patch = format!("target: {{kind: Deployment}}\npatch: {operations}\n");
    apply(&mut objects, &patch).map_err(|errors| errors.join("\n"))?;
    let mut object = objects.remove(0).0;
    let map = object.as_object_mut().expect("a mapping");
    map.retain(|key, _| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata"));
    Ok(object)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn operations_do_what_rfc_6902_says() {
    // The first ones are the examples of its appendix A.
    let cases = [
        (
            "foo: bar",
            "[{op: add, path: /baz, value: qux}]",
            "{foo: bar, baz: qux}",
        ),
        (
            "foo: [bar, baz]",
            "[{op: add, path: /foo/1, value: qux}]",
            "{foo: [bar, qux, baz]}",
        ),
        (
            "baz: qux\nfoo: bar",
            "[{op: remove, path: /baz}]",
            "{foo: bar}",
        ),
        (
            "foo: [bar, qux, baz]",
            "[{op: remove, path: /foo/1}]",
            "{foo: [bar, baz]}",
        ),
        (
            "baz: qux\nfoo: bar",
            "[{op: replace, path: /baz, value: boo}]",
            "{baz: boo, foo: bar}",
        ),
        (
            "foo: {bar: baz, waldo: fred}\nqux: {corge: grault}",
            "[{op: move, from: /foo/waldo, path: /qux/thud}]",
            "{foo: {bar: baz}, qux: {corge: grault, thud: fred}}",
        ),
        (
            "foo: [all, grass, cows, eat]",
            "[{op: move, from: /foo/1, path: /foo/3}]",
            "{foo: [all, cows, eat, grass]}",
        ),
        (
            "baz: qux\nfoo: [a, 2, c]",
            "[{op: test, path: /baz, value: qux}, {op: test, path: /foo/1, value: 2}]",
            "{baz: qux, foo: [a, 2, c]}",
        ),
        (
            "foo: bar",
            "[{op: add, path: /child, value: {grandchild: {}}}]",
            "{foo: bar, child: {grandchild: {}}}",
        ),
        (
            "foo: bar",
            "[{op: add, path: /baz, value: qux, xyz: 123}]",
            "{foo: bar, baz: qux}",
        ),
        (
            "/: 9\n~1: 10",
            "[{op: test, path: /~01, value: 10}, {op: remove, path: /~1}]",
            "{~1: 10}",
        ),
        (
            "foo: [bar]",
            "[{op: add, path: /foo/-, value: [abc, def]}]",
            "{foo: [bar, [abc, def]]}",
        ),
        // And some more.
        ("a: 1", "[{op: add, path: /a, value: null}]", "{a: null}"),
        (
            "a: {'': 1}",
            "[{op: replace, path: /a/, value: 2}]",
            "{a: {'': 2}}",
        ),
        (
            "a: {b: 1}",
            "[{op: copy, from: /a, path: /a/c}]",
            "{a: {b: 1, c: {b: 1}}}",
        ),
        (
            "a: []",
            "[{op: add, path: /a/0, value: x}, {op: add, path: /a/1, value: y}]",
            "{a: [x, y]}",
        ),
        (
            "a: {'0': x}",
            "[{op: replace, path: /a/0, value: y}]",
            "{a: {'0': y}}",
        ),
        (
            "a: 1.5",
            "[{op: test, path: /a, value: 1.5}, {op: move, from: /a, path: /a}]",
            "{a: 1.5}",
        ),
        (
            "a: {x: [1, {y: 2}]}",
            "[{op: test, path: /a, value: {x: [1, {y: 2}]}}]",
            "{a: {x: [1, {y: 2}]}}",
        ),
        (
            "m~n: {a/b: 1}",
            "[{op: remove, path: /m~0n/a~1b}]",
            "{m~n: {}}",
        ),
    ];
    for (base, operations, expected) in cases {
        assert_eq!(
            operated(base, operations),
            Ok(parse(expected)),
            "{operations}"
        );
    }
}

#[test]
fn numbers_are_equal_by_what_they_are_worth() {
    let mut objects = vec![(
        json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "x"}, "a": 1.0, "b": u64::MAX}),
        Origin {
            file: "x.yaml".into(),
            line: Some(1),
            inside: crate::path::Path::root(),
            part: None,
        },
    )];
    let test = |path: &str, value: &str| {
        format!("target: {{kind: Thing}}\npatch: [{{op: test, path: {path}, value: {value}}}]\n")
    };
    assert!(apply(&mut objects, &test("/a", "1")).is_ok());
    assert!(apply(&mut objects, &test("/a", "2")).is_err());
    assert!(apply(&mut objects, &test("/b", "18446744073709551615")).is_ok());
    assert!(apply(&mut objects, &test("/b", "18446744073709551614")).is_err());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn an_operation_that_fails_names_itself_and_its_place() {
    let cases = [
        (
            "a: 1",
            "[{op: test, path: /a, value: 1}, {op: test, path: /a, value: 2}]",
            "patch[1] (test /a): the value there is another one",
        ),
        (
            "a: 1",
            "[{op: remove, path: /b/c}]",
            "patch[0] (remove /b/c): there is nothing at \"/b\"",
        ),
        (
            "replicas: 1",
            "[{op: replace, path: /replica, value: 2}]",
            "patch[0] (replace /replica): there is nothing at \"/replica\"",
        ),
        (
            "a: {}",
            "[{op: add, path: /a/b/c, value: 2}]",
            "patch[0] (add /a/b/c): there is nothing at \"/a/b\"",
        ),
        (
            "a: 1",
            "[{op: add, path: /a/b, value: 2}]",
            "patch[0] (add /a/b): \"/a\" is a number, which has nothing inside",
        ),
        (
            "a: [x]",
            "[{op: add, path: /a/2, value: 2}]",
            "patch[0] (add /a/2): the list \"/a\" has only 1 items",
        ),
        (
            "a: [x]",
            "[{op: replace, path: /a/1, value: 2}]",
            "patch[0] (replace /a/1): the list \"/a\" has only 1 items",
        ),
        (
            "a: [x]",
            "[{op: remove, path: /a/-}]",
            "patch[0] (remove /a/-): the list \"/a\" has only 1 items",
        ),
        (
            "a: [x]",
            "[{op: remove, path: /a/99999999999999999999}]",
            "patch[0] (remove /a/99999999999999999999): the list \"/a\" has only 1 items",
        ),
        (
            "a: [x]",
            "[{op: remove, path: /a/00}]",
            "patch[0] (remove /a/00): \"00\" is no place in a list",
        ),
        (
            "a: [x]",
            "[{op: remove, path: /a/-1}]",
            "patch[0] (remove /a/-1): \"-1\" is no place in a list",
        ),
        (
            "a: [x]",
            "[{op: remove, path: /a/}]",
            "patch[0] (remove /a/): \"\" is no place in a list",
        ),
        (
            "a: {b: 1}",
            "[{op: move, from: /a, path: /a/b}]",
            "patch[0] (move /a/b): a value cannot be moved into itself",
        ),
        (
            "a: 1",
            "[{op: remove, path: ''}]",
            "patch[0] (remove ): the whole object cannot be removed or moved so; give a patch with $patch: delete",
        ),
        (
            "a: 1",
            "[{op: replace, path: '', value: x}]",
            "patch[0] (replace ): an object must stay a mapping",
        ),
        (
            "a: 1",
            "[{op: remove, path: a}]",
            "patch[0] (remove a): \"a\" is no pointer: it must be empty or start with '/', and '~' be written '~0'",
        ),
        (
            "a: 1",
            "[{op: remove, path: /a~2}]",
            "patch[0] (remove /a~2): \"/a~2\" is no pointer: it must be empty or start with '/', and '~' be written '~0'",
        ),
        (
            "a: 1",
            "[{op: remove}]",
            "patch[0] (remove): path is missing or no string",
        ),
        (
            "a: 1",
            "[{path: /a}]",
            "patch[0] (/a): op is missing or no string",
        ),
        (
            "a: 1",
            "[{op: add, path: /a}]",
            "patch[0] (add /a): value is missing",
        ),
        (
            "a: 1",
            "[{op: copy, path: /b, from: 1}]",
            "patch[0] (copy /b): from is missing or no string",
        ),
        (
            "a: 1",
            "[{op: merge, path: /a}]",
            "patch[0] (merge /a): op must be add, remove, replace, move, copy or test",
        ),
    ];
    for (base, operations, expected) in cases {
        let error = operated(base, operations).expect_err(operations);
        let target = if expected.contains("missing")
            || expected.contains("pointer")
            || expected.contains("op must")
        {
            "Deployment/*"
        } else {
            "apps/Deployment/web"
        };
        let error = error.split(" [").next().unwrap_or_default();
        assert_eq!(error, format!("o.yaml:2: overlay o: {expected} ({target})"));
    }
    let error = operated("replicas: 1", "[{op: replace, path: /replica, value: 2}]");
    assert!(error.is_err_and(|error| error.ends_with("[did you mean replicas?]")));
}

#[test]
fn a_patch_cannot_make_an_object_too_large() {
    let double: Vec<_> = (0..60)
        .map(|n| format!("{{op: copy, from: '', path: /k{n}}}"))
        .collect();
    let error =
        operated("", &format!("[{}]", double.join(", "))).expect_err("it doubles every time");
    assert!(
        error.contains("patch[14] (copy /k14): the number of copied values is over"),
        "{error}"
    );
    let wide = "{op: copy, from: /a, path: /b/-}, ".repeat(300);
    let list = vec!["1"; 1000].join(", ");
    let error = operated(&format!("a: [{list}]\nb: []"), &format!("[{wide}]"));
    let expected = "the number of copied values is over the limit of 100000";
    assert!(
        error.as_ref().is_err_and(|error| error.contains(expected)),
        "{error:?}"
    );
    let text = "x".repeat(1 << 20);
    let error = operated(&format!("a: {text}\nb: []"), &format!("[{wide}]"));
    let expected = "the length of copied text in bytes is over the limit of 16777216";
    assert!(
        error.as_ref().is_err_and(|error| error.contains(expected)),
        "it is too long"
    );
    let path = "/a".repeat(127);
    let deep = (0..126).fold("{}".to_owned(), |inner, _| format!("{{a: {inner}}}"));
    let add = format!("[{{op: add, path: {path}, value: {{b: {{c: 1}}}}}}]");
    let error = operated(&format!("a: {deep}"), &add).expect_err("it is too deep");
    assert!(
        error.contains("the depth of the object is over the limit of 128"),
        "{error}"
    );
}

#[test]
fn operations_may_move_an_object() {
    let mut objects = objects(WEB);
    let patch = format!(
        "target: {{kind: Deployment}}\npatch: [{{op: replace, path: /metadata/name, value: shop}}]\n---\n{}",
        WEB.replace("web", "shop") + "spec: {paused: true}\n"
    );
    let applied = apply(&mut objects, &patch).expect("the second patch finds the new name");
    let object = &objects[0].0;
    assert_eq!(object["spec"]["paused"], true);
    let by = |path: &str| applied.provenance.of(object, path).map(ToString::to_string);
    assert_eq!(by("metadata.name").as_deref(), Some("overlay o (o.yaml:2)"));
    assert_eq!(by("spec.paused").as_deref(), Some("overlay o (o.yaml:7)"));
}

#[test]
fn patches_are_written_in_several_ways() {
    let texts = [
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n",
        "- apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: web}\n  spec: {replicas: 3}\n",
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  \
         metadata: {name: web}\n  spec: {replicas: 3}\n",
        "target: {kind: Deployment, name: web}\npatch: {spec: {replicas: 3}}\n",
        "target: {kind: Deployment}\npatch:\n- op: add\n  path: /spec/replicas\n  value: 3\n",
        "target: {kind: Deployment}\npatch: '[{\"op\": \"add\", \"path\": \"/spec/replicas\", \"value\": 3}]'\n",
        "target: {kind: Deployment}\npatch: |-\n  - op: add\n    path: /spec/replicas\n    value: 3\n",
        "target: {kind: Deployment}\npatch: |\n  apiVersion: apps/v1\n  kind: Deployment\n  \
         metadata: {name: not-used, namespace: not-used}\n  spec: {replicas: 3}\n",
        "patch: |-\n  apiVersion: apps/v1\n  kind: Deployment\n  metadata: {name: web}\n  spec: {replicas: 3}\n",
        "patches:\n- target: {kind: Deployment}\n  patch: {spec: {replicas: 3}}\n",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches:\n- target: {kind: Deployment}\n  \
         patch: |-\n    spec:\n      replicas: 3\n",
    ];
    for text in texts {
        let mut objects = objects(&format!("{WEB}spec: {{paused: true}}\n"));
        let applied = apply(&mut objects, text).expect(text);
        let expected = parse(&format!("{WEB}spec: {{paused: true, replicas: 3}}\n"));
        assert_eq!(objects[0].0, expected, "{text}");
        let line = text
            .lines()
            .position(|line| line.contains('3'))
            .expect("the value")
            + 1;
        let by = applied.provenance.of(&objects[0].0, "spec.replicas");
        let by = by.map(ToString::to_string);
        assert_eq!(by, Some(format!("overlay o (o.yaml:{line})")), "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_is_no_patch_is_refused_with_its_line() {
    let cases = [
        ("\nspec: {}", "2: overlay o: apiVersion is missing"),
        (
            "kind: Pod",
            "1: overlay o: apiVersion is missing (apiVersion)|1: overlay o: metadata.name is missing (metadata.name)",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: 1",
            "4: overlay o: expected a string, found a number (metadata.name)",
        ),
        (
            "apiVersion: v1\nkind: ''\nmetadata: {name: x}",
            "2: overlay o: kind is missing (kind)",
        ),
        ("text", "1: overlay o: expected a patch, found a string"),
        (
            "- 1",
            "1: overlay o: expected a patch, found a number ([0])",
        ),
        (
            "- op: add\n  path: /x\n  value: 1",
            "1: overlay o: a JSON patch needs a target with at least a kind or a name \
            ([0]) [write it as target: {kind: …, name: …} and patch: [ … ]]",
        ),
        (
            "patch: [{op: remove, path: /x}]",
            "1: overlay o: a JSON patch needs a target with at least a kind or a name (patch)",
        ),
        (
            "target: {kind: Pod}",
            "1: overlay o: patch is missing (patch)",
        ),
        (
            "target: {kind: Pod}\npatch: 1",
            "2: overlay o: expected a list of operations or a part of an object, found a number (patch)",
        ),
        (
            "target: {kind: Pod}\npatch: ''",
            "2: overlay o: patch is missing (patch)",
        ),
        (
            "target: {kind: Pod}\npatch: [1]",
            "2: overlay o: expected an operation, found a number (patch[0])",
        ),
        (
            "target: {kind: Pod}\npath: x.yaml",
            "2: overlay o: the field \"path\" is not known here (path) [a patch in another file is not read, put it here]",
        ),
        (
            "target: {kind: Pod}\npatch: |\n  a: b\n  c: [",
            "4: overlay o: the patch is not read: ",
        ),
        (
            "target: {kind: Pod, lable: x}\npatch: []",
            "1: overlay o: the field \"lable\" is not known here (target.lable) [known are group, version, kind, namespace, name]",
        ),
        (
            "target: {kind: Pod, nmae: x}\npatch: []",
            "1: overlay o: the field \"nmae\" is not known here (target.nmae) [did you mean name?]",
        ),
        (
            "target: {kind: [Pod]}\npatch: []",
            "1: overlay o: expected a string, found a list (target.kind)|1: overlay o: a JSON patch needs a target with at least a kind or a name (target)",
        ),
        (
            "target: {namespace: a}\npatch: []",
            "1: overlay o: a JSON patch needs a target with at least a kind or a name (target)",
        ),
        (
            "target: x\npatch: []",
            "1: overlay o: expected a mapping, found a string (target)",
        ),
        (
            "patches: {}",
            "1: overlay o: expected a list of patches, found a mapping (patches)",
        ),
        (
            "patches: []\nvalue: {}",
            "2: overlay o: the field \"value\" is not known here (value) [did you mean values?]",
        ),
        (
            "kind: Kustomization\nresources: [a]\npatches: []",
            "2: overlay o: the field \"resources\" is not known here (resources) [known are apiVersion, kind, metadata, patches]",
        ),
        (
            "values: 1",
            "1: overlay o: expected a mapping, found a number (values)",
        ),
    ];
    for (text, expected) in cases {
        let errors = shown(&overlay(text).expect_err(text));
        let expected: Vec<String> = expected
            .split('|')
            .map(|line| format!("o.yaml:{line}"))
            .collect();
        assert_eq!(errors.len(), expected.len(), "{errors:?}");
        for (error, expected) in errors.iter().zip(expected) {
            let cut = expected.ends_with(": ");
            assert!(
                error == &expected || (cut && error.starts_with(&expected)),
                "{error}\n{expected}"
            );
        }
    }
}

#[test]
fn a_section_of_a_design_and_files_make_one_overlay() {
    let design = "\
name: d
overlays:
  staging:
    patches:
    - target: {kind: Deployment}
      patch: {spec: {replicas: 2, paused: true}}
  empty:
";
    let design = File::all("", "design.yaml", design);
    let file = "target: {kind: Deployment}\npatch: {spec: {replicas: 3}}\n";
    let file = File::all("staging", "overlays/staging/web.yaml", file);
    let files = [("staging".to_owned(), file[0].document())];
    let overlays = Overlays::read(Some(&design[0].document()), &files).expect("they are right");
    assert_eq!(overlays.names().collect::<Vec<_>>(), ["empty", "staging"]);
    let mut objects = objects(&format!("{WEB}spec: {{replicas: 1}}\n"));
    let names = ["empty", "staging"];
    let applied = overlays.apply(&mut objects, &names, &Values::default());
    let applied = applied.expect("it fits");
    assert_eq!(objects[0].0["spec"], json!({"replicas": 3, "paused": true}));
    let by = |path: &str| {
        applied
            .provenance
            .of(&objects[0].0, path)
            .map(ToString::to_string)
    };
    assert_eq!(
        by("spec.replicas").as_deref(),
        Some("overlay staging (overlays/staging/web.yaml:2)")
    );
    assert_eq!(
        by("spec.paused").as_deref(),
        Some("overlay staging (design.yaml:6)")
    );

    let cases = [
        ("overlays: ~", &[][..]),
        (
            "overlays: []",
            &["design.yaml:1: expected a mapping, found a list (overlays)"],
        ),
        (
            "overlays:\n  a: 1\n  b: {patch: []}\n  c:\n    patches:\n    - kind: Pod",
            &[
                "design.yaml:2: overlay a: expected a mapping, found a number (overlays.a)",
                "design.yaml:3: overlay b: the field \"patch\" is not known here (overlays.b.patch) \
                 [known are values, patches]",
                "design.yaml:6: overlay c: apiVersion is missing (overlays.c.patches[0].apiVersion)",
                "design.yaml:6: overlay c: metadata.name is missing (overlays.c.patches[0].metadata.name)",
            ],
        ),
    ];
    for (text, expected) in cases {
        let design = File::all("", "design.yaml", text);
        let result = Overlays::read(Some(&design[0].document()), &[]);
        let errors = result.map_or_else(|errors| shown(&errors), |_| Vec::new());
        assert_eq!(errors, expected, "{text}");
    }
}

/// The objects of a design with its overlays, and who set what, once `names` are applied.
fn fitted(section: Option<&Value>, files: &[File], names: &[&str]) -> (String, Vec<String>) {
    let mut objects = objects(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: '${x.tag}', b: '1'}",
    );
    let mut design = serde_json::json!({"values": {"x": {"tag": "plain", "count": 1}}});
    if let Some(section) = section {
        design["overlays"] = section.clone();
    }
    let origin = Origin {
        file: "shop 0.0.1".into(),
        line: None,
        inside: crate::path::Path::root(),
        part: None,
    };
    let document = Document {
        value: &design,
        origin: &origin,
        positions: None,
    };
    let files: Vec<_> = files
        .iter()
        .map(|file| (file.overlay.clone(), file.document()))
        .collect();
    let overlays = Overlays::read(Some(&document), &files).expect("sound overlays");
    let values = Values::read(&document).expect("sound values");
    let applied = overlays.apply(&mut objects, names, &values).expect("fits");
    let fields = applied.provenance.fields(&objects[0].0).into_iter();
    let fields =
        fields.map(|(path, source)| format!("{path} by {}", source.overlay().unwrap_or_default()));
    (yaml::to_string(&objects[0].0), fields.collect())
}

#[test]
fn files_of_overlays_and_the_section_made_of_them_say_the_same() {
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n";
    let mut files = Vec::new();
    for (overlay, file, text) in [
        ("a", "overlays/a/values.yaml", "x: {tag: of-a}".to_owned()),
        (
            "a",
            "overlays/a/deep/values.yaml",
            "x: {count: 2}".to_owned(),
        ),
        (
            "a",
            "overlays/a/web.yaml",
            format!("{head}data: {{b: '2', c: '${{x.count}}'}}"),
        ),
        (
            "a",
            "overlays/a/list.yaml",
            "- {target: {kind: ConfigMap}, patch: [{op: add, path: /data/d, value: d}]}".to_owned(),
        ),
        (
            "b",
            "overlays/b/all.yaml",
            format!(
                "values: {{x: {{tag: of-b}}}}\npatches:\n- patch: |\n{}    data: {{b: null}}",
                indent(head)
            ),
        ),
        (
            "b",
            "overlays/b/kustomization.yaml",
            "kind: Kustomization\npatches: [{target: {name: 'w*'}, patch: {data: {e: e}}}]"
                .to_owned(),
        ),
    ] {
        files.extend(File::all(overlay, file, &text));
    }
    let own = "a: {values: {x: {tag: first}}, patches: [{target: {name: web}, patch: {data: {f: f}}}]}\nc:\n";
    let own = parse(own);
    let documents: Vec<_> = files
        .iter()
        .map(|file| (file.overlay.clone(), file.document()))
        .collect();
    let section = Overlays::section(Some(&own), &documents).expect("overlays");
    assert_eq!(
        section
            .as_object()
            .expect("a mapping")
            .keys()
            .collect::<Vec<_>>(),
        ["a", "c", "b"]
    );
    for names in [&["a"][..], &["b"], &["c"], &["a", "b"], &["b", "a"], &[]] {
        let of_files = fitted(Some(&own), &files, names);
        assert_eq!(of_files, fitted(Some(&section), &[], names), "{names:?}");
    }
    let (object, fields) = fitted(Some(&section), &[], &["a", "b"]);
    let data = "  a: of-b\n  f: f\n  c: 2\n  d: d\n  e: e\n";
    assert!(object.ends_with(data), "{object}");
    assert_eq!(
        fields,
        [
            "data.a by b",
            "data.f by a",
            "data.c by a",
            "data.d by a",
            "data.e by b",
            "data.b by b"
        ]
    );
    assert_eq!(Overlays::section(None, &[]), None);
}

fn indent(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}\n")).collect();
    lines.concat()
}
