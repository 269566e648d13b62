package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkConfiguration runs registrar config check with these variables alone.
func checkConfiguration(t *testing.T, settings map[string]string) (printed string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(context.Background(), []string{"config", "check"}, assignments(settings), &out, &errs)
	if errs.Len() != 0 {
		t.Errorf("standard error: %s", &errs)
	}
	return out.String(), err
}

func TestConfigCheck(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "registrar.yaml")
	const servers = "resource_servers:\n- {id: files, secret_sha256: 48d2a5bbcf422ccd1b69e2a82fb90bafb52384953e77e304bef856084be052b6, audiences: [https://files.example]}\n"
	if err := os.WriteFile(file, []byte(servers), 0o600); err != nil {
		t.Fatal(err)
	}
	database := filepath.Join(folder, "registrar.db")
	tests := map[string]struct {
		settings map[string]string
		want     string
	}{
		"nothing set": {
			map[string]string{"REGISTRAR_DATABASE_URL": "sqlite://" + database},
			"issuer            http://localhost:8080\n" +
				"listens on        127.0.0.1:8080\n" +
				"metrics           off\n" +
				"database          SQLite, " + database + "\n" +
				"login             development: any name is believed, from this machine alone\n" +
				"limits            10/1h registrations per address, in each process\n" +
				"registration      open\n" +
				"documents         any\n" +
				"scopes            4\n" +
				"resource servers  0\n" +
				"warning: REGISTRAR_RESOURCES: without a list, tokens are issued for any https or loopback resource\n",
		},
		"all set": {
			map[string]string{
				"REGISTRAR_ISSUER":                 "https://id.example",
				"REGISTRAR_DATABASE_URL":           "postgres://registrar:" + password + "@db.invalid/registrar",
				"REGISTRAR_REDIS_URL":              "redis://:" + password + "@cache.invalid:6379/0",
				"REGISTRAR_SECRET_KEY":             "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
				"REGISTRAR_UPSTREAM_ISSUER":        "https://up.example",
				"REGISTRAR_UPSTREAM_CLIENT_ID":     "registrar",
				"REGISTRAR_UPSTREAM_CLIENT_SECRET": password,
				"REGISTRAR_RESOURCES":              "https://files.example",
				"REGISTRAR_CONFIG":                 file,
			},
			"issuer            https://id.example\n" +
				"listens on        :8080\n" +
				"metrics           off\n" +
				"database          PostgreSQL\n" +
				"login             at https://up.example\n" +
				"limits            10/1h registrations per address, shared through Redis\n" +
				"registration      open\n" +
				"documents         any\n" +
				"scopes            4\n" +
				"resource servers  1\n",
		},
		"all that is warned of": {
			map[string]string{
				"REGISTRAR_ISSUER":            "https://id.example",
				"REGISTRAR_DATABASE_URL":      "sqlite://" + database,
				"REGISTRAR_REGISTRATION_RATE": "off",
				"REGISTRAR_SECRET":            password,
			},
			"issuer            https://id.example\n" +
				"listens on        :8080\n" +
				"metrics           off\n" +
				"database          SQLite, " + database + "\n" +
				"login             none\n" +
				"limits            off\n" +
				"registration      open\n" +
				"documents         any\n" +
				"scopes            4\n" +
				"resource servers  0\n" +
				"warning: REGISTRAR_SECRET: this variable is not a setting of this version and has no effect\n" +
				"warning: REGISTRAR_REGISTRATION_RATE: registrations are not limited\n" +
				"warning: REGISTRAR_UPSTREAM_ISSUER: neither it nor REGISTRAR_USERS_FILE is set: nobody can log in\n" +
				"warning: REGISTRAR_RESOURCES: without a list, tokens are issued for any https or loopback resource\n",
		},
		"users file": {
			map[string]string{
				"REGISTRAR_DATABASE_URL": "sqlite://" + database,
				"REGISTRAR_USERS_FILE":   file,
				"REGISTRAR_RESOURCES":    "https://files.example",
			},
			"issuer            http://localhost:8080\n" +
				"listens on        127.0.0.1:8080\n" +
				"metrics           off\n" +
				"database          SQLite, " + database + "\n" +
				"login             users file, " + file + "\n" +
				"limits            10/1h registrations per address, in each process\n" +
				"registration      open\n" +
				"documents         any\n" +
				"scopes            4\n" +
				"resource servers  0\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := checkConfiguration(t, test.settings)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got\n%swant\n%s", got, test.want)
			}
		})
	}
	if found, err := os.ReadDir(folder); err != nil || len(found) != 1 {
		t.Errorf("it left something behind: %v, %v", found, err)
	}
}

func TestConfigCheckFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registrar.yaml")
	if err := os.WriteFile(file, []byte("scopes:\n  write: {text: Write}\nresource_servers:\n- secret: "+password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		settings map[string]string
		// faults begin the lines of the error.
		faults []string
	}{
		"several": {
			map[string]string{
				"REGISTRAR_ADDR":         "nowhere",
				"REGISTRAR_DATABASE_URL": "postgres://registrar:" + password + "@db.invalid/registrar",
				"REGISTRAR_SECRET_KEY":   password,
				"REGISTRAR_USERS_FILE":   "users",
				"REGISTRAR_CONFIG":       file,
			},
			[]string{
				"REGISTRAR_SECRET_KEY: ", "REGISTRAR_ADDR: ", file + ":2: scopes.write: ", file + ":4: resource_servers[0].secret: ",
				file + ":4: resource_servers[0]: it must have an id", file + ":4: resource_servers[0]: it must have audiences",
			},
		},
		"Redis": {map[string]string{"REGISTRAR_REDIS_URL": "redis://:" + password + "@cache:port/0"}, []string{"REGISTRAR_REDIS_URL: "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := checkConfiguration(t, test.settings)
			if err == nil || out != "" {
				t.Fatalf("accepted: %s", out)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(test.faults) {
				t.Fatalf("got %q, want %q", lines, test.faults)
			}
			for i, line := range lines {
				if !strings.HasPrefix(line, test.faults[i]) || strings.Contains(line, password) {
					t.Errorf("got %q, want one about %q", line, test.faults[i])
				}
			}
		})
	}
}

func TestConfigCheckMisspelt(t *testing.T) {
	for _, args := range [][]string{{"config", "chek"}, {"config", "check", "more"}} {
		var out, errs bytes.Buffer
		err := run(context.Background(), args, nil, &out, &errs)
		if err == nil || !strings.Contains(err.Error(), args[len(args)-1]) || out.Len() != 0 {
			t.Errorf("%q: got %v and %s", args, err, &out)
		}
	}
}
