package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed-9c856424/registrar/internal/config"
	"github.com/seed-9c856424/registrar/internal/login"
)

func userCommand(p *process) *cobra.Command {
	user := groupCommand("user", "Look after the file of users")
	added := login.FileUser{}
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user to REGISTRAR_USERS_FILE",
		Long: "Add a user to REGISTRAR_USERS_FILE. The password is asked for or, where standard input is no terminal, is its first\n" +
			"line. Servers need no restart.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			added.Name = args[0]
			return p.addUser(added)
		},
	}
	add.Flags().StringVar(&added.FullName, "full-name", "", "the user's full name")
	add.Flags().StringVar(&added.Email, "email", "", "the user's e-mail address, which you vouch for")
	add.Flags().StringSliceVar(&added.Groups, "group", nil, "a group that the user is in, as often as needed")
	user.AddCommand(add)
	return user
}

func (p *process) addUser(user login.FileUser) error {
	settings, err := config.Load(p.environ)
	if err != nil {
		return err
	}
	if settings.UsersFile == "" {
		return errors.New(config.Prefix + "USERS_FILE: it must name the file of users")
	}
	password, err := p.readPassword()
	if err != nil {
		return err
	}
	hash, err := login.HashPassword(rand.Reader, password)
	if err != nil {
		return err
	}
	if err := login.AddUser(settings.UsersFile, user, hash); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s is a user of %s\n", user.Name, settings.UsersFile)
	return err
}

// readPassword asks twice at a terminal, which shows nothing of it.
func (p *process) readPassword() (string, error) {
	terminal := int(os.Stdin.Fd())
	if !term.IsTerminal(terminal) {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if line == "" {
			return "", fmt.Errorf("no password on standard input: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(p.out, prompt)
		password, err := term.ReadPassword(terminal)
		fmt.Fprintln(p.out)
		if err != nil {
			return "", err
		}
		typed[i] = string(password)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ")
	}
	return typed[0], nil
}
