namespace Astra.Tools.Sandboxes.Linux;

/// <summary>How a kernel option is set for the next start, differently from distribution to distribution.</summary>
internal static class KernelCommandLine
{
    public static string CommandToAdd(string option) => File.Exists("/usr/sbin/update-grub")
        ? $"echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {option}\"' | sudo tee /etc/default/grub.d/astra.cfg"
          + " && sudo update-grub && sudo reboot"
        : $"sudo grubby --update-kernel=ALL --args={option} && sudo reboot";
}
