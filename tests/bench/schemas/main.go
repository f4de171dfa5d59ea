// schemas SWAGGER FOLDER: turns Kubernetes' OpenAPI v2 document into what kubeconform
// reads, one file per kind, in the form that its own default location has
// ("standalone-strict"): every reference resolved in place, undeclared fields refused,
// optional fields nullable, kind and apiVersion fixed.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

type object = map[string]any

const prefix = "#/definitions/"

var definitions object

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	var document object
	check(json.Unmarshal(text, &document))
	definitions = document["definitions"].(object)
	check(os.MkdirAll(os.Args[2], 0o755))
	for name, definition := range definitions {
		kinds, _ := definition.(object)["x-kubernetes-group-version-kind"].([]any)
		// Those of several kinds are options of requests.
		if len(kinds) == 1 {
			write(os.Args[2], name, kinds[0].(object))
		}
	}
}

// write writes the schema of one kind, under the name that kubeconform looks for.
func write(folder, name string, identity object) {
	group, version, kind := identity["group"].(string), identity["version"].(string), identity["kind"].(string)
	apiVersion, file := version, kind
	if group != "" {
		apiVersion = group + "/" + version
		label, _, _ := strings.Cut(group, ".")
		file += "-" + label
	}
	schema := resolve(object{"$ref": prefix + name}, nil)
	properties := schema["properties"].(object)
	for field, value := range map[string]string{"apiVersion": apiVersion, "kind": kind} {
		if property, ok := properties[field].(object); ok {
			property["enum"] = []any{value}
		}
	}
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	text, err := json.Marshal(schema)
	check(err)
	check(os.WriteFile(filepath.Join(folder, strings.ToLower(file+"-"+version)+".json"), text, 0o644))
}

// resolve copies a schema with its references resolved, up to those that lead back.
func resolve(schema object, within []string) object {
	if reference, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(reference, prefix)
		switch {
		case strings.HasSuffix(name, ".IntOrString"):
			return object{"oneOf": []any{object{"type": "string"}, object{"type": "integer"}}}
		case strings.HasSuffix(name, ".Quantity"):
			return object{"oneOf": []any{object{"type": "string"}, object{"type": "number"}}}
		case slices.Contains(within, name):
			return object{}
		}
		return resolve(definitions[name].(object), append(within, name))
	}
	copied := object{}
	for key, value := range schema {
		switch {
		case strings.HasPrefix(key, "x-kubernetes-") || key == "description":
		case key == "properties":
			copied[key] = resolveFields(schema, value.(object), within)
		case key == "items" || key == "additionalProperties":
			if inner, ok := value.(object); ok {
				value = resolve(inner, within)
			}
			copied[key] = value
		default:
			copied[key] = value
		}
	}
	_, declares := copied["properties"]
	if _, says := copied["additionalProperties"]; declares && !says {
		copied["additionalProperties"] = false
	}
	return copied
}

// resolveFields copies the fields of an object; those that are not required may be null.
func resolveFields(schema, fields object, within []string) object {
	required, _ := schema["required"].([]any)
	copied := object{}
	for name, field := range fields {
		resolved := resolve(field.(object), within)
		if !slices.Contains(required, any(name)) {
			allowNull(resolved)
		}
		copied[name] = resolved
	}
	return copied
}

func allowNull(schema object) {
	if kind, ok := schema["type"].(string); ok {
		schema["type"] = []any{kind, "null"}
	}
	if alternatives, ok := schema["oneOf"].([]any); ok {
		schema["oneOf"] = append(alternatives, object{"type": "null"})
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
