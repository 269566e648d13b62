package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	wrkThreads = 2
	// readClients is how many clients are read in turn.
	readClients = 2000
)

var (
	//go:embed load.lua
	loadScript []byte
	// registrationBody is one registration as real clients send it, on one line.
	//go:embed registration.json
	registrationBody string
)

// load is a kind of request.
type load struct {
	name string
	// script is the path of load.lua, inputs the files that it takes for the sides.
	script string
	inputs [2]string
}

// prepare writes the inputs of the loads, and registers the clients that are read.
func (b *bench) prepare(sides [2]*side) []load {
	script, body := b.write("load.lua", loadScript), b.write("registration.json", []byte(registrationBody))
	read := load{name: "read", script: script}
	for i, side := range sides {
		var lines bytes.Buffer
		for range readClients {
			c, _ := b.register(side)
			fmt.Fprintln(&lines, c.path(), c.Token)
		}
		read.inputs[i] = b.write(side.name+".tokens", lines.Bytes())
	}
	return []load{{name: "register", script: script, inputs: [2]string{body, body}}, read}
}

func (b *bench) write(name string, content []byte) string {
	path := filepath.Join(b.dir, name)
	b.must(os.WriteFile(path, content, 0o600), "write a file")
	return path
}

// client is what a client keeps of its registration.
type client struct {
	ID    string `json:"client_id"`
	Token string `json:"registration_access_token"`
}

func (c client) path() string { return "/oauth/register/" + c.ID }

func (b *bench) register(side *side) (c client, answer []byte) {
	answer, err := b.call(http.MethodPost, side.url+"/oauth/register", "", registrationBody, http.StatusCreated)
	b.must(err, "register at "+side.name)
	b.must(json.Unmarshal(answer, &c), "read a registration of "+side.name)
	return c, answer
}

// call returns the body of an answer, which must have the status.
func (b *bench) call(method, url, token, body string, status int) ([]byte, error) {
	request, err := http.NewRequestWithContext(b.ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != status {
		err = fmt.Errorf("%s %s: %s: %s", method, url, response.Status, answer)
	}
	return answer, err
}

// requireSameWork checks that the sides' answers have the same members and length.
func (b *bench) requireSameWork(sides [2]*side) {
	var shapes [2]string
	for i, side := range sides {
		c, created := b.register(side)
		read, err := b.call(http.MethodGet, side.url+c.path(), c.Token, "", http.StatusOK)
		b.must(err, "read at "+side.name)
		shapes[i] = b.shape(created) + b.shape(read)
	}
	if shapes[bare] != shapes[registrar] {
		b.Fatalf("the bare handler answers something else:\n%s\n%s", shapes[bare], shapes[registrar])
	}
}

func (b *bench) shape(answer []byte) string {
	var members map[string]any
	b.must(json.Unmarshal(answer, &members), "read an answer")
	return fmt.Sprint(len(bytes.TrimSpace(answer)), slices.Sorted(maps.Keys(members)))
}

// sample is the outcome of a run, or the medians of several: requests a second, and
// latencies in milliseconds.
type sample struct{ rate, p50, p99 float64 }

// measure runs wrk. Every request must succeed.
func (b *bench) measure(side *side, script, input string, connections int) sample {
	out := b.output(exec.CommandContext(b.ctx, "wrk", "-t", strconv.Itoa(wrkThreads), "-c", strconv.Itoa(connections),
		"-d", strconv.Itoa(b.seconds), "--timeout", "10s", "-s", script, side.url, "--", input))
	var outcome struct{ Requests, Micros, Failed, P50, P99 float64 }
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	b.must(json.Unmarshal(lines[len(lines)-1], &outcome), "read the outcome of wrk")
	if outcome.Failed > 0 || outcome.Requests == 0 {
		b.Fatalf("%s, %d connections, %s: of %.0f requests %.0f failed", side.name, connections, filepath.Base(input), outcome.Requests, outcome.Failed)
	}
	return sample{outcome.Requests / outcome.Micros * 1e6, outcome.P50 / 1e3, outcome.P99 / 1e3}
}
