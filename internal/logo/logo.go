// Package logo makes pictures of strangers fit for a page of ours: whatever else their
// bytes may be, what comes out is a small PNG that was drawn here.
package logo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

const (
	// MaxBytes is how large a picture may be.
	MaxBytes = 256 << 10
	// MaxSide is how many pixels wide and high it may be.
	MaxSide = 1024
	// Side is how wide and high it is afterwards, at most. At four bytes a pixel, it is then
	// far below MaxBytes, however badly it is compressed.
	Side = 128
	// MediaType is what it is afterwards.
	MediaType = "image/png"

	// maxScans is how often a JPEG may go over the picture: each time takes a dozen bytes of
	// the file, and a pass through all of its memory. Ten or so are in use.
	maxScans = 64
)

var (
	errSize   = errors.New("it is larger than 256 KiB")
	errFormat = errors.New("it is not a PNG, JPEG or WebP image")
	errSides  = errors.New("it is not 1 to 1,024 pixels wide and high")
	errScans  = errors.New("it is a JPEG of too many scans")
	errBroken = errors.New("it is broken, or animated")
)

type format struct {
	// begins is how a file of the format begins; a question mark is any byte.
	begins       string
	decodeConfig func(io.Reader) (image.Config, error)
	decode       func(io.Reader) (image.Image, error)
	// work bounds the time that decoding takes, where the size alone does not; nil: it does.
	work func([]byte) error
}

var formats = []format{
	{"\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode, nil},
	{"\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode, scans},
	{"RIFF????WEBP", webp.DecodeConfig, webp.Decode, nil},
}

func (f format) matches(raw []byte) bool {
	if len(raw) < len(f.begins) {
		return false
	}
	for i := range len(f.begins) {
		if f.begins[i] != '?' && f.begins[i] != raw[i] {
			return false
		}
	}
	return true
}

// scans counts the markers of a scan (ITU-T T.81 §B.1.1.3), those of an embedded preview
// among them: a file of nothing else would take seconds to decode.
func scans(raw []byte) error {
	if bytes.Count(raw, []byte{0xff, 0xda}) > maxScans {
		return errScans
	}
	return nil
}

// decoders bounds the memory that pictures take, about 20 MB each, and keeps them from
// taking every processor.
var decoders = make(chan struct{}, 2)

// Render returns the picture as PNG, scaled down to at most [Side] pixels a side, with
// nothing of the file but its pixels: no metadata, and of an animated PNG the still. What
// the picture is, its first bytes tell. The error names the rule that it breaks; it is the
// context's where that ended first.
func Render(ctx context.Context, raw []byte) ([]byte, error) {
	if len(raw) > MaxBytes {
		return nil, errSize
	}
	for _, f := range formats {
		if f.matches(raw) {
			return f.render(ctx, raw)
		}
	}
	return nil, errFormat
}

func (f format) render(ctx context.Context, raw []byte) ([]byte, error) {
	select {
	case decoders <- struct{}{}:
		defer func() { <-decoders }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return f.redraw(raw)
}

func (f format) redraw(raw []byte) (redrawn []byte, err error) {
	// A decoder that meets what its author did not think of must not end the process, now or
	// when its picture is drawn; it keeps no state that could be left in disorder.
	defer func() {
		if recover() != nil {
			redrawn, err = nil, errBroken
		}
	}()
	picture, err := f.read(raw)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, shrink(picture)); err != nil {
		return nil, fmt.Errorf("encode a logo: %w", err)
	}
	return out.Bytes(), nil
}

// read decodes the picture, if it promises to take little.
func (f format) read(raw []byte) (image.Image, error) {
	if err := f.promise(raw); err != nil {
		return nil, err
	}
	picture, err := f.decode(bytes.NewReader(raw))
	if err != nil {
		return nil, errBroken
	}
	return picture, nil
}

// promise returns the rule that the picture breaks by what it says of itself, before any
// memory is taken for it.
func (f format) promise(raw []byte) error {
	config, err := f.decodeConfig(bytes.NewReader(raw))
	switch {
	case err != nil:
		return errBroken
	case !isSide(config.Width) || !isSide(config.Height):
		return errSides
	case f.work == nil:
		return nil
	}
	return f.work(raw)
}

func isSide(pixels int) bool { return pixels >= 1 && pixels <= MaxSide }

// shrink draws the picture anew, in its own shape.
func shrink(picture image.Image) image.Image {
	from := picture.Bounds()
	drawn := image.NewRGBA(fit(from.Dx(), from.Dy()))
	draw.CatmullRom.Scale(drawn, drawn.Bounds(), picture, from, draw.Src, nil)
	return drawn
}

func fit(width, height int) image.Rectangle {
	longer := max(width, height, Side)
	return image.Rect(0, 0, max(1, width*Side/longer), max(1, height*Side/longer))
}
