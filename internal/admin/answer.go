package admin

import (
	"encoding/json"
	"net/http"
)

// answer writes a value as JSON.
func answer(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		fail(w, http.StatusInternalServerError, "The answer cannot be written.")
		return
	}
	write(w, http.StatusOK, "application/json", body)
}

// problem is an error as RFC 9457 has it.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// fail answers with an error and a sentence for people.
func fail(w http.ResponseWriter, status int, detail string) {
	body, _ := json.Marshal(problem{http.StatusText(status), status, detail})
	write(w, status, "application/problem+json", body)
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
