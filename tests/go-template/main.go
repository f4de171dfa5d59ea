// Go's own engine, for comparing ours with it: text/template with Sprig's functions and the seven own ones of
// the operator, which reads `missingkey=error` as we do.
//
// It reads one case per line from standard input, {"template": "…", "variables": {"name": "value"}}, and writes
// one line for each: {"text": "…"}, with "typed" for what a field of an object would get, or {"error": "…"}.
//
// What the tests of ours expect is recorded with (from the folder of this file):
//
//	go run . -record ../../testdata/template/corpus.json
//
// which writes expected.json next to it. Which functions it has, and what they take and yield, says -functions,
// one line for each. For measuring, -rounds renders the cases of a file so many times and writes nothing.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

const (
	markInteger = "__LYNQ_TYPE_INT__"
	markFloat   = "__LYNQ_TYPE_FLOAT__"
	markBoolean = "__LYNQ_TYPE_BOOL__"
)

type testCase struct {
	Template  string            `json:"template"`
	Variables map[string]string `json:"variables"`
}

type outcome struct {
	Text  *string `json:"text,omitempty"`
	Typed string  `json:"typed,omitempty"`
	Error string  `json:"error,omitempty"`
}

// A corpus has its cases by what they are about.
type corpus struct {
	Variables map[string]string `json:"variables"`
	Groups    map[string]struct {
		Good []string `json:"good"`
		Bad  []string `json:"bad"`
	} `json:"groups"`
}

func main() {
	record := flag.String("record", "", "a corpus whose expected results are written next to it")
	rounds := flag.Int("rounds", 0, "render the cases of the file that is named so many times")
	describe := flag.Bool("functions", false, "describe the functions")
	flag.Parse()
	time.Local = time.UTC
	debug.SetMaxStack(1 << 28)
	var err error
	switch {
	case *record != "":
		err = recordCorpus(*record)
	case *rounds > 0:
		err = renderRounds(*rounds, flag.Arg(0))
	case *describe:
		err = describeFunctions()
	default:
		err = answerLines()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answerLines() error {
	out := encoder(os.Stdout)
	return eachCase(os.Stdin, func(one testCase) error { return out.Encode(run(one)) })
}

// eachCase reads cases, one per line.
func eachCase(from io.Reader, do func(testCase) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var one testCase
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return err
		}
		if err := do(one); err != nil {
			return err
		}
	}
	return lines.Err()
}

func recordCorpus(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var cases corpus
	if err := json.Unmarshal(text, &cases); err != nil {
		return err
	}
	names := make([]string, 0, len(cases.Groups))
	for name := range cases.Groups {
		names = append(names, name)
	}
	sort.Strings(names)
	type line struct {
		Template string `json:"template"`
		outcome
	}
	var lines []string
	wrong := 0
	for _, name := range names {
		group := cases.Groups[name]
		for index, text := range append(group.Good, group.Bad...) {
			result := run(testCase{text, cases.Variables})
			if (result.Error != "") != (index >= len(group.Good)) {
				wrong++
				fmt.Fprintf(os.Stderr, "%s: %s: %s\n", name, text, result.Error)
			}
			var line_ bytes.Buffer
			if err := encoder(&line_).Encode(line{text, result}); err != nil {
				return err
			}
			lines = append(lines, strings.TrimSpace(line_.String()))
		}
	}
	all := "[\n" + strings.Join(lines, ",\n") + "\n]\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "expected.json"), []byte(all), 0o644); err != nil {
		return err
	}
	fmt.Printf("%d cases, %d of them not as good or bad as the corpus says\n", len(lines), wrong)
	return nil
}

// renderRounds parses each case of a file once and renders all of them in turn, round by round.
func renderRounds(rounds int, path string) error {
	type ready struct {
		parsed    *template.Template
		variables map[string]any
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var cases []ready
	err = eachCase(file, func(one testCase) error {
		parsed, err := parse(one.Template)
		cases = append(cases, ready{parsed, asValues(one.Variables)})
		return err
	})
	if err != nil {
		return err
	}
	for range rounds {
		for _, one := range cases {
			if _, err := execute(one.parsed, one.variables); err != nil {
				return err
			}
		}
	}
	return nil
}

func describeFunctions() error {
	type signature struct {
		Name     string   `json:"name"`
		Takes    []string `json:"takes"`
		Variadic bool     `json:"variadic"`
		Yields   string   `json:"yields"`
	}
	names := make([]string, 0, len(functions))
	for name := range functions {
		names = append(names, name)
	}
	sort.Strings(names)
	out := encoder(os.Stdout)
	for _, name := range names {
		kind := reflect.TypeOf(functions[name])
		one := signature{Name: name, Takes: []string{}, Variadic: kind.IsVariadic(), Yields: kind.Out(0).String()}
		for index := range kind.NumIn() {
			takes := kind.In(index)
			if one.Variadic && index == kind.NumIn()-1 {
				takes = takes.Elem()
			}
			one.Takes = append(one.Takes, takes.String())
		}
		if err := out.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

func encoder(to io.Writer) *json.Encoder {
	out := json.NewEncoder(to)
	out.SetEscapeHTML(false)
	return out
}

func run(one testCase) outcome {
	parsed, err := parse(one.Template)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	text, err := execute(parsed, asValues(one.Variables))
	if err != nil {
		return outcome{Error: err.Error()}
	}
	result := outcome{Text: &text}
	typed(text, &result)
	return result
}

// typed does what the operator does with a field: what begins with a marker gets the type it names.
func typed(text string, result *outcome) {
	shown := func(rest, kind string) {
		result.Text = &rest
		result.Typed = kind
	}
	if rest, ok := strings.CutPrefix(text, markInteger); ok {
		if _, err := strconv.ParseInt(rest, 10, 64); err == nil {
			shown(rest, "integer")
		}
	} else if rest, ok := strings.CutPrefix(text, markFloat); ok {
		if _, err := strconv.ParseFloat(rest, 64); err == nil {
			shown(rest, "float")
		}
	} else if rest, ok := strings.CutPrefix(text, markBoolean); ok {
		shown(rest, "boolean")
	}
}

// functions are those of Sprig, and in their place, or beside them, those of the operator.
var functions = func() template.FuncMap {
	all := sprig.TxtFuncMap()
	all["toHost"] = toHost
	all["trunc63"] = trunc63
	all["sha1sum"] = sha1sum
	all["fromJson"] = fromJson
	all["int"] = toInteger
	all["float"] = toFloat
	all["bool"] = toBoolean
	return all
}()

func parse(text string) (*template.Template, error) {
	return template.New("template").Option("missingkey=error").Funcs(functions).Parse(text)
}

func execute(parsed *template.Template, variables map[string]any) (string, error) {
	var out bytes.Buffer
	err := parsed.Execute(&out, variables)
	return out.String(), err
}

func asValues(given map[string]string) map[string]any {
	variables := make(map[string]any, len(given))
	for name, value := range given {
		variables[name] = value
	}
	return variables
}

func toHost(text string) string {
	if address, err := url.Parse(text); err == nil && address.Host != "" {
		return address.Hostname()
	}
	host, _, _ := strings.Cut(text, ":")
	return host
}

func trunc63(text string) string {
	return text[:min(len(text), 63)]
}

func sha1sum(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func fromJson(text string) any {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return map[string]any{}
	}
	return value
}

func toInteger(value any) string {
	number := 0
	switch value := value.(type) {
	case int:
		number = value
	case int64:
		number = int(value)
	case float64:
		number = int(value)
	case bool:
		if value {
			number = 1
		}
	case string:
		if whole, err := strconv.Atoi(value); err == nil {
			number = whole
		} else if float, err := strconv.ParseFloat(value, 64); err == nil {
			number = int(float)
		}
	}
	return fmt.Sprint(markInteger, number)
}

func toFloat(value any) string {
	number := 0.0
	switch value := value.(type) {
	case int:
		number = float64(value)
	case int64:
		number = float64(value)
	case float64:
		number = value
	case bool:
		if value {
			number = 1
		}
	case string:
		if float, err := strconv.ParseFloat(value, 64); err == nil {
			number = float
		}
	}
	return fmt.Sprint(markFloat, number)
}

func toBoolean(value any) string {
	flag := false
	switch value := value.(type) {
	case bool:
		flag = value
	case int:
		flag = value != 0
	case int64:
		flag = value != 0
	case float64:
		flag = value != 0
	case string:
		switch strings.ToLower(value) {
		case "true", "1", "yes", "on", "t", "y":
			flag = true
		}
	}
	return fmt.Sprint(markBoolean, flag)
}
