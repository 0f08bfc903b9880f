package admin

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// contract is the description of the API, by which requests and answers can be
// checked.
func contract(t *testing.T) routers.Router {
	t.Helper()
	loader := openapi3.NewLoader()
	document, err := loader.LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(loader.Context); err != nil {
		t.Fatalf("the description is wrong: %v", err)
	}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// calls are what can be asked for, in every way that it may be answered.
var calls = []struct {
	status             int
	method, path, body string
}{
	{200, "GET", "/status", ""},
	{200, "GET", "/channels", ""},
	{200, "GET", "/channels?limit=1", ""},
	{200, "GET", "/channels/live", ""},
	{200, "GET", "/channels/waiting", ""},
	{404, "GET", "/channels/none", ""},
	{200, "DELETE", "/channels/live", ""},
	{404, "DELETE", "/channels/none", ""},
	{200, "POST", "/channels/live/reconnect", `{"url": "rtmps://other.example.com:1936/live"}`},
	{200, "POST", "/channels/live/reconnect", `{"url": ""}`},
	{200, "POST", "/channels/live/reconnect", `{}`},
	{400, "POST", "/channels/live/reconnect", `{"url": "http://example.com"}`},
	{200, "GET", "/channels/live/play", ""},
	{404, "GET", "/channels/waiting/play", ""},
	{200, "GET", "/sessions", ""},
	{200, "GET", "/sessions?channel=live&limit=1", ""},
	{200, "GET", "/sessions/1", ""},
	{404, "GET", "/sessions/none", ""},
	{204, "DELETE", "/sessions/1", ""},
	{404, "DELETE", "/sessions/none", ""},
	{200, "GET", "/ends", ""},
	{200, "GET", "/ends?limit=1", ""},
	{200, "GET", "/settings", ""},
	{200, "GET", "/openapi.json", ""},
	{200, "GET", "/events", ""},
}

func TestAnswersAgreeWithTheDescription(t *testing.T) {
	f := run(t, Options{Preview: http.NotFoundHandler(), Version: "v1"})
	f.Ended(testEnd("7"))
	f.Ended(End{Session: Session{ID: "8", Kind: "refused", Protocol: "rtmp"}})
	v := contract(t)
	for _, call := range calls {
		check(f, v, call.status, call.method, "/api/v1"+call.path, call.body)
	}
}

func TestErrorsAgreeWithTheDescription(t *testing.T) {
	f := run(t, Options{Token: testToken})
	v := contract(t)
	check(f, v, http.StatusNotImplemented, "GET", "/api/v1/channels/live/play", "", bearer())
	for _, call := range calls {
		check(f, v, http.StatusUnauthorized, call.method, "/api/v1"+call.path, call.body)
	}
	for range maxFailures {
		f.do("GET", "/", "", "Authorization: Bearer wrong")
	}
	for _, call := range calls {
		check(f, v, http.StatusTooManyRequests, call.method, "/api/v1"+call.path, call.body, bearer())
	}
}

// check makes a call, and has request and answer agree with the description.
func check(f *fixture, v routers.Router, status int, method, path, body string, headers ...string) {
	f.Helper()
	if body != "" {
		headers = append(headers, "Content-Type: application/json")
	}
	r, err := http.NewRequest(method, "http://"+f.host+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	answer, err := f.client.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var text []byte
	if path == "/api/v1/events" && status == http.StatusOK {
		text = []byte(event(f, answer.Body))
	} else if text, err = io.ReadAll(answer.Body); err != nil {
		f.Fatal(err)
	}
	if answer.StatusCode != status {
		f.Errorf("%s %s: %s, want %d: %s", method, path, answer.Status, status, text)
	}
	if bytes.Contains(text, []byte(secret)) {
		f.Errorf("%s %s: a key is in %s", method, path, text)
	}
	if answer.Header.Get("Content-Type") == "text/event-stream" {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(body))
	route, parameters, err := v.FindRoute(r)
	if err != nil {
		f.Fatalf("%s %s: %v", method, path, err)
	}
	request := &openapi3filter.RequestValidationInput{
		Request: r, Route: route, PathParams: parameters,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(f.Context(), request); err != nil {
		f.Errorf("%s %s: the request: %v", method, path, err)
	}
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: answer.StatusCode, Header: answer.Header, Options: request.Options,
	}
	if err := openapi3filter.ValidateResponse(f.Context(), response.SetBodyBytes(text)); err != nil {
		f.Errorf("%s %s: the answer %s: %v", method, path, text, err)
	}
}

// What listeners hear is described as well.
func TestEventsAgreeWithTheDescription(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Source: new(source)})
	for name, said := range map[string]any{"State": s.state(), "End": testEnd("1")} {
		text, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		if err := document.Components.Schemas[name].Value.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every route of the API is described, and nothing else is.
func TestDescriptionHasAllRoutes(t *testing.T) {
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(description, &document); err != nil {
		t.Fatal(err)
	}
	var described, served []string
	for path, methods := range document.Paths {
		for method := range methods {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" /api/v1"+path)
			}
		}
	}
	for _, route := range New(Options{}).api() {
		served = append(served, route.method+" "+route.path)
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described %q\nserved %q", described, served)
	}
}
