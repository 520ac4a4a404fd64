require "rubygems/package"
require "tempfile"

module Labkit
  ROOT = File.expand_path("../..", __dir__)
  SOURCE = "/usr/local/src/labkit".freeze # in the machine; provision.sh is run from there, and can be again

  PROVISION = <<~SHELL.freeze
    set -e
    rm -rf #{SOURCE}.new
    mkdir -p #{SOURCE}.new
    tar -C #{SOURCE}.new --no-same-owner -xf /tmp/labkit-project.tar
    rm -rf #{SOURCE}
    mv #{SOURCE}.new #{SOURCE}
    rm -f /tmp/labkit-project.tar
    #{SOURCE}/vm/provision.sh --vm --saved /tmp/labkit-saved.tgz ||
      { echo "Nothing is lost: when that is mended, 'vagrant provision' goes on where it stopped." >&2; exit 1; }
  SHELL

  # The project as one tar. Made in Ruby, because Windows has neither git nor tar for certain.
  module Tar
    LEFT_OUT = File.readlines(File.join(ROOT, "vm/not-placed.txt"), chomp: true).freeze

    module_function

    def write(io)
      Gem::Package::TarWriter.new(io) do |tar|
        files(".").each do |name|
          content = File.binread(File.join(ROOT, name))
          mode = content.start_with?("#!") ? 0o755 : 0o644 # Windows knows no such bit
          tar.add_file_simple(name, mode, content.bytesize) { |entry| entry.write(content) }
        end
      end
    end

    def files(directory)
      Dir.children(File.join(ROOT, directory)).sort.flat_map do |child|
        name = "#{directory}/#{child}"
        next [] if LEFT_OUT.any? { |pattern| [name, child].any? { |it| File.fnmatch?(pattern, it, File::FNM_DOTMATCH) } }

        path = File.join(ROOT, name)
        File.directory?(path) ? files(name) : [name].select { File.file?(path) }
      end
    end
  end

  # Vagrant's `file` provisioner wants its source to be there when the Vagrantfile is read; this one makes it.
  class ProjectProvisioner < Vagrant.plugin("2", :provisioner)
    def provision
      Tempfile.create("labkit") do |file|
        file.binmode
        Tar.write(file)
        file.close
        @machine.communicate.upload(file.path, "/tmp/labkit-project.tar")
      end
      Saved.upload(@machine)
    end
  end

  class Plugin < Vagrant.plugin("2")
    name "labkit: the project into its machine"
    provisioner(:labkit_project) { ProjectProvisioner }
  end
end
