package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// tarball packs files into one directory of an archive. Their owners and dates
// would tell machines apart: all are root's and of the given time.
func tarball(dir string, at time.Time, files []string) ([]byte, error) {
	var out bytes.Buffer
	gz, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(gz)
	err = pack(dir, files, func(name string, mode fs.FileMode, contents []byte) error {
		err := archive.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: name, Mode: int64(mode), Size: int64(len(contents)), ModTime: at, Format: tar.FormatUSTAR,
		})
		if err != nil {
			return err
		}
		_, err = archive.Write(contents)
		return err
	})
	err = errors.Join(err, archive.Close(), gz.Close())
	return out.Bytes(), err
}

// zipball is tarball for Windows.
func zipball(dir string, at time.Time, files []string) ([]byte, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	err := pack(dir, files, func(name string, mode fs.FileMode, contents []byte) error {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at}
		header.SetMode(mode)
		w, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, bytes.NewReader(contents))
		return err
	})
	err = errors.Join(err, archive.Close())
	return out.Bytes(), err
}

// pack hands out the files by their names in the archive, the first as a program.
func pack(dir string, files []string, add func(name string, mode fs.FileMode, contents []byte) error) error {
	mode := fs.FileMode(0o755)
	for _, file := range files {
		contents, err := os.ReadFile(file) // #nosec G304 -- of the checkout, or just built
		if err != nil {
			return err
		}
		if err := add(path.Join(dir, filepath.Base(file)), mode, contents); err != nil {
			return err
		}
		mode = 0o644
	}
	return nil
}
